# An object of S3 by a signed URL (Signature Version 4, in its query), with the credentials of the
# instance's role. Needs openssl besides; nothing of AWS's.
imds=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
# Asks the metadata service: method, header, path.
ask() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsS --noproxy '*' --max-time 5 -X "$1" -H "$2" "$imds/latest/$3"
    else
        wget -q --no-proxy -T 5 -t 1 --method="$1" --header="$2" -O - "$imds/latest/$3"
    fi
}
meta() { ask GET "X-aws-ec2-metadata-token: $session" "meta-data/$1"; }
encoded() { printf '%s' "$1" | sed 's/%/%25/g; s/+/%2B/g; s/=/%3D/g; s/ /%20/g; s,/,%2F,g'; }
mac() { printf '%s' "$2" | openssl dgst -sha256 -mac HMAC -macopt "$1" | sed 's/.* //'; }
member() { printf '%s' "$credentials" | tr -d '\n' | sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p"; }
get_s3() {
    session=$(ask PUT 'X-aws-ec2-metadata-token-ttl-seconds: 300' api/token) || return 1
    role=$(meta iam/security-credentials/) && credentials=$(meta "iam/security-credentials/$role") || return 1
    place=${1#s3://}
    region=${place#*\?region=}
    [ "$region" != "$place" ] || region=$(meta placement/region) || return 1
    place=${place%%\?*}
    case $region in cn-*) domain=amazonaws.com.cn ;; *) domain=amazonaws.com ;; esac
    base=${AWS_ENDPOINT_URL_S3:-https://s3.$region.$domain}
    path=/$(encoded "$place" | sed 's,%2F,/,g')
    at=$(date -u +%Y%m%dT%H%M%SZ)
    scope=$(date -u +%Y%m%d)/$region/s3/aws4_request
    query="X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=$(encoded "$(member AccessKeyId)/$scope")&X-Amz-Date=$at"
    query="$query&X-Amz-Expires=900&X-Amz-Security-Token=$(encoded "$(member Token)")&X-Amz-SignedHeaders=host"
    request=$(printf 'GET\n%s\n%s\nhost:%s\n\nhost\nUNSIGNED-PAYLOAD' "$path" "$query" "${base#*://}" | openssl dgst -sha256 | sed 's/.* //')
    key="key:AWS4$(member SecretAccessKey)"
    for step in "${scope%%/*}" "$region" s3 aws4_request; do key="hexkey:$(mac "$key" "$step")"; done
    signature=$(mac "$key" "$(printf 'AWS4-HMAC-SHA256\n%s\n%s\n%s' "$at" "$scope" "$request")")
    get "$base$path?$query&X-Amz-Signature=$signature" "$2"
}

//! As whom AWS is asked from an operator's desk: profiles, roles to assume, single sign-on, programs that
//! hand credentials out. Every signature is computed again by AWS's own library.

use super::*;

/// What somebody has at home.
const CONFIG: &str = "
[default]
region = us-east-1

[profile keys]
aws_access_key_id = AKIAKEYS
aws_secret_access_key = secret-of-AKIAKEYS
region = us-east-1

[profile role]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = keys

[profile program]
credential_process = /bin/sh PROGRAM

[profile web]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = reader

[sso-session corp]
sso_region = us-east-1
sso_start_url = https://corp.example.org/start
";

/// SHA-1 of `corp`: under this name the AWS CLI keeps the session's token (AWS SDKs reference guide, "IAM
/// Identity Center credential provider").
const SESSION: &str = "ee0bfd2552fbd840c02cc48b6e823320543c450f";

/// A desk with profiles, in front of instances in two regions.
fn desk(name: &str) -> Option<(Scene, Server)> {
    let (mut scene, moto) = Scene::new(name, true)?;
    let moto = moto.expect("moto");
    put(
        &moto,
        "
for region in ['us-east-1', 'eu-west-1']:
    ec2 = boto3.client('ec2', endpoint_url=client('ec2').meta.endpoint_url, region_name=region,
                       aws_access_key_id='x', aws_secret_access_key='y')
    ec2.run_instances(ImageId=ec2.describe_images()['Images'][0]['ImageId'], MinCount=1, MaxCount=1)
client('ssm').put_parameter(Name='/team/word', Value='from-a-profile', Type='SecureString')
",
    );
    for (key, token) in [
        ("AKIAKEYS", None),
        ("AKIAPROGRAM", None),
        ("AKIAOPTION", None),
        ("ASIAREADER", Some("session-of-ASIAREADER")),
        ("ASIAWEB", Some("session-of-ASIAWEB")),
    ] {
        scene.settings["keys"][key] = json!(format!("secret-of-{key}"));
        if let Some(token) = token {
            scene.settings["tokens"][key] = json!(token);
        }
    }
    scene.settings["roles"] = json!({
        "arn:aws:iam::123456789012:role/reader": {"by": "AKIAKEYS", "gives": "ASIAREADER"},
    });
    scene.settings["sign_on"] = json!({"signed-on": "ASIAWEB"});
    scene.save();
    let home = scene.path("home/.aws/sso/cache");
    std::fs::create_dir_all(&home).expect("a folder");
    let program = scene.path("program.sh");
    std::fs::write(
        &program,
        r#"echo '{"Version": 1, "AccessKeyId": "AKIAPROGRAM", "SecretAccessKey": "secret-of-AKIAPROGRAM"}'"#,
    )
    .expect("written");
    let config = CONFIG.replace("PROGRAM", &program.display().to_string());
    std::fs::write(scene.path("home/.aws/config"), config).expect("written");
    let token = json!({"accessToken": "signed-on", "expiresAt": "2099-01-01T00:00:00Z", "region": "us-east-1",
        "startUrl": "https://corp.example.org/start"});
    let file = home.join(format!("{SESSION}.json"));
    std::fs::write(file, token.to_string()).expect("written");
    Some((scene, moto))
}

/// Options, environment, and who signs.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

/// Who signed what EC2 was asked for this inventory, and what was said.
fn asked(scene: &Scene, options: &str, environment: &[(&str, &str)]) -> (Vec<String>, String) {
    let file = scene.path("desk.aws_ec2.yml");
    std::fs::write(&file, format!("plugin: amazon.aws.aws_ec2\n{options}\n")).expect("written");
    let aws = scene.aws.as_ref().expect("aws");
    let before = aws.printed().len();
    let done = scene
        .command("lks-ctl")
        .env("HOME", scene.path("home"))
        .env_remove("AWS_PROFILE")
        .envs(environment.iter().copied())
        .args(["inventory", "--graph", "-i"])
        .arg(&file)
        .output()
        .expect("runs");
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let mut signed: Vec<String> = aws.printed()[before..]
        .lines()
        .filter_map(|line| line.strip_prefix("signed by "))
        .filter_map(|line| line.split_once(" for ec2 in "))
        .map(|(key, region)| format!("{key} {region}"))
        .collect();
    signed.sort();
    (signed, said)
}

#[test]
fn ec2_is_asked_as_whoever_the_inventory_or_the_environment_names() {
    let Some((scene, _moto)) = desk("desk") else {
        return;
    };
    let here = "regions: [us-east-1]";
    let cases: &[Case<'_>] = &[
        ("profile: keys", &[], "AKIAKEYS"),
        ("aws_profile: \"{{ 'ke' + 'ys' }}\"", &[], "AKIAKEYS"),
        // A profile that is named goes over keys in the environment.
        (
            "profile: keys",
            &[
                ("AWS_ACCESS_KEY_ID", "AKIAOPTION"),
                ("AWS_SECRET_ACCESS_KEY", "secret-of-AKIAOPTION"),
            ],
            "AKIAKEYS",
        ),
        ("", &[("AWS_PROFILE", "keys")], "AKIAKEYS"),
        ("profile: role", &[], "ASIAREADER"),
        ("profile: program", &[], "AKIAPROGRAM"),
        ("profile: web", &[], "ASIAWEB"),
        (
            "access_key: AKIAOPTION\nsecret_key: secret-of-AKIAOPTION",
            &[],
            "AKIAOPTION",
        ),
        (
            "profile: keys\nassume_role_arn: arn:aws:iam::123456789012:role/reader",
            &[],
            "ASIAREADER",
        ),
        // Nobody named: the machine's own role.
        ("", &[], "ASIA0123"),
    ];
    for (options, environment, key) in cases {
        let (signed, said) = asked(&scene, &format!("{here}\n{options}"), environment);
        assert_eq!(signed, [format!("{key} us-east-1")], "{options}: {said}");
        assert!(said.contains("compute"), "{options}: {said}");
    }
}

#[test]
fn who_cannot_be_known_is_said_with_what_to_do() {
    let Some((mut scene, _moto)) = desk("nobody") else {
        return;
    };
    let cases = [
        ("profile: nobody", "`nobody` was not defined"),
        (
            "profile: program\nassume_role_arn: arn:aws:iam::123456789012:role/reader",
            "AKIAPROGRAM may not assume",
        ),
        ("profile: keys\naccess_key: a\nsecret_key: b", "one only"),
        ("access_key: a", "`secret_key` is missing"),
        (
            "use_ssm_inventory: true",
            "no option `use_ssm_inventory` here",
        ),
    ];
    for (options, words) in cases {
        let (signed, said) = asked(&scene, &format!("regions: [us-east-1]\n{options}"), &[]);
        assert!(said.contains(words), "{options}: {said}");
        assert!(signed.is_empty(), "{options}: {signed:?}");
    }
    // A token that ended.
    scene.settings["sign_on"] = json!({});
    scene.save();
    let (_, said) = asked(&scene, "regions: [us-east-1]\nprofile: web", &[]);
    assert!(said.contains("aws sso login --profile web"), "{said}");
}

#[test]
fn a_region_where_the_caller_may_not_look_is_an_error_or_passed_over() {
    let Some((mut scene, _moto)) = desk("denied") else {
        return;
    };
    scene.settings["denied"] = json!(["eu-west-1"]);
    scene.save();
    let options = "profile: role\nregions: [us-east-1, eu-west-1]";
    let (signed, said) = asked(&scene, options, &[]);
    assert!(said.contains("UnauthorizedOperation"), "{said}");
    // The role was assumed once, and both regions were asked.
    assert_eq!(signed, ["ASIAREADER eu-west-1", "ASIAREADER us-east-1"]);
    let (_, said) = asked(
        &scene,
        &format!("{options}\nstrict_permissions: false"),
        &[],
    );
    assert!(
        said.contains("compute-1") && !said.contains("WARNING"),
        "{said}"
    );
}

#[test]
fn a_lookup_asks_as_a_profile_too_and_the_agent_says_that_it_knows_none() {
    let Some((scene, _moto)) = desk("lookup") else {
        return;
    };
    let book = scene.path("book.yml");
    std::fs::write(
        &book,
        "- hosts: localhost
  gather_facts: false
  tasks:
    - copy:
        content: \"{{ lookup('amazon.aws.ssm_parameter', '/team/word', profile='role', region='us-east-1') }}\"
        dest: \"{{ playbook_dir }}/word\"
",
    )
    .expect("written");
    let run = |program: &str| {
        let mut command = scene.command(program);
        let done = command
            .env("HOME", scene.path("home"))
            .arg("run")
            .arg(&book);
        let done = done.output().expect("runs");
        let said = [done.stdout, done.stderr].concat();
        (
            done.status.code(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    let (status, said) = run("lks-agent");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("knows no profiles of AWS"), "{said}");
    let (status, said) = run("lks-ctl");
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(scene.read("word"), "from-a-profile");
    assert!(!said.contains("from-a-profile"), "{said}");
    let printed = scene.aws.as_ref().expect("aws").printed();
    assert!(
        printed.contains("signed by ASIAREADER for ssm in us-east-1"),
        "{printed}"
    );
}

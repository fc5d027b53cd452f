# Completion of lks-test for bash. Made by `lks-test completion bash`.
_lks_test() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" cmd="${COMP_WORDS[1]}"
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "run doc completion version help --help --version" -- "$cur"))
        return
    fi
    case "$cmd" in
    help)
        COMPREPLY=($(compgen -W "run doc completion version" -- "$cur"))
        ;;
    run)
        case "$prev" in
        -i|--inventory|--inventory-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        -l|--limit) :; return ;;
        -e|--extra-vars) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        -t|--tags) :; return ;;
        --skip-tags) :; return ;;
        -f|--forks) :; return ;;
        --start-at-task) :; return ;;
        -M|--module-path) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        --compat) :; return ;;
        --output) COMPREPLY=($(compgen -W "human fleet json junit events" -- "$cur")); return ;;
        --output-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        -c|--connection) :; return ;;
        -u|--user) COMPREPLY=($(compgen -u -- "$cur")); return ;;
        -T|--timeout) :; return ;;
        --private-key|--key-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --connection-password-file|--conn-pass-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --ssh-common-args) :; return ;;
        --ssh-extra-args) :; return ;;
        --sftp-extra-args) :; return ;;
        --scp-extra-args) :; return ;;
        --become-method) :; return ;;
        --become-user) COMPREPLY=($(compgen -u -- "$cur")); return ;;
        --become-password-file|--become-pass-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --vault-id) :; return ;;
        --vault-password-file|--vault-pass-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            COMPREPLY=($(compgen -W "-i --inventory --inventory-file -l --limit -e --extra-vars -t --tags --skip-tags -C --check -D --diff -f --forks --force-handlers --start-at-task --step --flush-cache -M --module-path --yes --list-hosts --list-tasks --list-tags --syntax-check --version -v --verbose --compat --output --output-file --color --colour --no-color --no-colour -c --connection -u --user -T --timeout --private-key --key-file -k --ask-pass --connection-password-file --conn-pass-file --ssh-common-args --ssh-extra-args --sftp-extra-args --scp-extra-args -b --become --become-method --become-user -K --ask-become-pass --become-password-file --become-pass-file --vault-id -J --ask-vault-password --ask-vault-pass --vault-password-file --vault-pass-file -h --help" -- "$cur"))
        else
            COMPREPLY=($(compgen -f -- "$cur"))
        fi
        ;;
    doc)
        case "$prev" in
        esac
        if [[ $cur == -* ]]; then
            COMPREPLY=($(compgen -W "-l --list -j --json -h --help" -- "$cur"))
        else
            COMPREPLY=($(compgen -W "copy file" -- "$cur"))
        fi
        ;;
    completion)
        case "$prev" in
        esac
        if [[ $cur == -* ]]; then
            COMPREPLY=($(compgen -W "-h --help" -- "$cur"))
        else
            COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur"))
        fi
        ;;
    version)
        case "$prev" in
        esac
        if [[ $cur == -* ]]; then
            COMPREPLY=($(compgen -W "-h --help" -- "$cur"))
        else
            :
        fi
        ;;
    esac
}
complete -F _lks_test -o filenames lks-test

#compdef lks-test
# Completion of lks-test for zsh. Made by `lks-test completion zsh`.
_lks_test() {
    local -a commands
    commands=(
        'run:Run playbooks'
        'doc:Show what a module does and which parameters it has'
        'completion:Print a script that completes this program'\''s command line'
        'version:Print the version'
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
    run)
        _arguments -s -S \
            '*-i+[An inventory file or directory, or host names with commas (a,b,)]:PATH|HOSTS:_files' \
            '*--inventory=[An inventory file or directory, or host names with commas (a,b,)]:PATH|HOSTS:_files' \
            '*--inventory-file=[An inventory file or directory, or host names with commas (a,b,)]:PATH|HOSTS:_files' \
            '-l+[Only hosts that this pattern matches, too]:PATTERN:' \
            '--limit=[Only hosts that this pattern matches, too]:PATTERN:' \
            '*-e+[Variables above all others\: key=value, YAML or JSON, or a file of them after @]:VARS:_files' \
            '*--extra-vars=[Variables above all others\: key=value, YAML or JSON, or a file of them after @]:VARS:_files' \
            '*-t+[Only plays and tasks with one of these tags]:TAGS:' \
            '*--tags=[Only plays and tasks with one of these tags]:TAGS:' \
            '*--skip-tags=[Leave out plays and tasks with one of these tags]:TAGS:' \
            '-C[Change nothing]' \
            '--check[Change nothing]' \
            '-D[Show the differences in files, templates and settings that change]' \
            '--diff[Show the differences in files, templates and settings that change]' \
            '-f+[How many hosts are worked on at once (default\: 5)]:N:' \
            '--forks=[How many hosts are worked on at once (default\: 5)]:N:' \
            '--force-handlers[Run notified handlers even on hosts where a task failed]' \
            '--start-at-task=[Begin with the task of this name (* stands for anything)]:NAME:' \
            '--step[Ask before each task]' \
            '--flush-cache[Forget cached facts of every host]' \
            '*-M+[More folders with modules of your own, before those of library in the settings]:DIRS:_files -/' \
            '*--module-path=[More folders with modules of your own, before those of library in the settings]:DIRS:_files -/' \
            '--yes[Answer questions of --step and pause with yes]' \
            '--list-hosts[Print the hosts that match]' \
            '--list-tasks[Print the tasks that would run]' \
            '--list-tags[Print the tags that there are]' \
            '--syntax-check[Read and check everything]' \
            '--version[Print the version]' \
            '*-v[Say more\: results at -v, files of tasks at -vv, arguments of modules at -vvv]' \
            '*--verbose[Say more\: results at -v, files of tasks at -vv, arguments of modules at -vvv]' \
            '--compat=[Take conditions as this version of ansible-core did\: up to 2.18, they may be of any type]:VERSION:' \
            '--output=[human (Ansible'\''s text), fleet (a live line for each host), json (one document), junit (XML) or events (JSON, one event a line)]:FORM:(human fleet json junit events)' \
            '--output-file=[Write that form to a file, and the human text to the terminal as usual]:FILE:_files' \
            '--color[Colours, even if the output is no terminal]' \
            '--colour[Colours, even if the output is no terminal]' \
            '--no-color[No colours]' \
            '--no-colour[No colours]' \
            '-c+[How hosts are reached\: ssh, local]:TYPE:' \
            '--connection=[How hosts are reached\: ssh, local]:TYPE:' \
            '-u+[Log in as this user]:USER:_users' \
            '--user=[Log in as this user]:USER:_users' \
            '-T+[How long reaching a host may take (default\: 10)]:SECONDS:' \
            '--timeout=[How long reaching a host may take (default\: 10)]:SECONDS:' \
            '--private-key=[The key to log in with]:FILE:_files' \
            '--key-file=[The key to log in with]:FILE:_files' \
            '-k[Ask for the password to log in with]' \
            '--ask-pass[Ask for the password to log in with]' \
            '--connection-password-file=[Read the password to log in with from a file]:FILE:_files' \
            '--conn-pass-file=[Read the password to log in with from a file]:FILE:_files' \
            '--ssh-common-args=[Options for every SSH connection (-o ProxyJump=…)]:ARGS:' \
            '--ssh-extra-args=[Options for commands over SSH]:ARGS:' \
            '--sftp-extra-args=[Options for files over SFTP]:ARGS:' \
            '--scp-extra-args=[Options for files over SCP]:ARGS:' \
            '-b[Work as another user (root, if --become-user says nothing)]' \
            '--become[Work as another user (root, if --become-user says nothing)]' \
            '--become-method=[How to become that user (default\: sudo)]:METHOD:' \
            '--become-user=[The user to become (default\: root)]:USER:_users' \
            '-K[Ask for the password that becoming needs]' \
            '--ask-become-pass[Ask for the password that becoming needs]' \
            '--become-password-file=[Read the password that becoming needs from a file]:FILE:_files' \
            '--become-pass-file=[Read the password that becoming needs from a file]:FILE:_files' \
            '*--vault-id=[A vault identity\: where its password comes from (prompt or a file)]:LABEL@SOURCE:' \
            '-J[Ask for the vault'\''s password]' \
            '--ask-vault-password[Ask for the vault'\''s password]' \
            '--ask-vault-pass[Ask for the vault'\''s password]' \
            '*--vault-password-file=[Read the vault'\''s password from a file]:FILE:_files' \
            '*--vault-pass-file=[Read the vault'\''s password from a file]:FILE:_files' \
            '-h[Show this text]' \
            '--help[Show this text]' \
            '*:PLAYBOOK...:_files'
        ;;
    doc)
        _arguments -s -S \
            '-l[Print the names of all modules]' \
            '--list[Print the names of all modules]' \
            '-j[As JSON]' \
            '--json[As JSON]' \
            '-h[Show this text]' \
            '--help[Show this text]' \
            '*:\[MODULE...\]:(copy file)'
        ;;
    completion)
        _arguments -s -S \
            '-h[Show this text]' \
            '--help[Show this text]' \
            '*:bash|zsh|fish:(bash zsh fish)'
        ;;
    version)
        _arguments -s -S \
            '-h[Show this text]' \
            '--help[Show this text]'
        ;;
    esac
}
_lks_test "$@"

//! Tells shell text that is known only to read from text that may change something.
//!
//! Check mode runs a probe (`changed_when: false`) for real only when this says so. The answer "no" is
//! always safe: whatever is unsure, unknown or clever counts as changing.

mod programs;
mod words;

use words::{Piece, Word};

/// Whether this shell script is known only to read.
#[must_use]
pub fn script_only_reads(text: &str) -> bool {
    words::read(text).is_some_and(|pieces| commands_only_read(&pieces))
}

/// Whether this program with these arguments, run without a shell, is known only to read.
#[must_use]
pub fn argv_only_reads(argv: &[String]) -> bool {
    let words: Vec<Word> = argv.iter().map(|a| Word::literal(a)).collect();
    programs::only_reads(&words)
}

/// Splits at the separators, and judges each simple command.
fn commands_only_read(pieces: &[Piece]) -> bool {
    let mut any = false;
    for command in pieces.split(|p| matches!(p, Piece::Separator)) {
        let words: Vec<Word> = command
            .iter()
            .filter_map(|p| match p {
                Piece::Word(word) => Some(word.clone()),
                Piece::Separator => None,
            })
            .collect();
        if words.is_empty() {
            continue;
        }
        any = true;
        if !programs::only_reads(strip_prefixes(&words)) {
            return false;
        }
    }
    any
}

/// Variables that may be set for one command, since they change only its language and time zone.
const HARMLESS: &[&str] = &[
    "LC_ALL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "COLUMNS",
    "SYSTEMD_PAGER",
];

/// Takes `!` and harmless assignments off the front.
fn strip_prefixes(mut words: &[Word]) -> &[Word] {
    while let Some((first, rest)) = words.split_first() {
        let assigns = first
            .text
            .split_once('=')
            .is_some_and(|(name, _)| HARMLESS.contains(&name) && !first.dynamic);
        if rest.is_empty() || !(first.text == "!" || assigns) {
            break;
        }
        words = rest;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_probes_only_read() {
        for text in [
            "mount | grep -q '10.0.0.5:/'",
            "mount",
            "grep -q foo /etc/passwd && echo yes || echo no",
            "test -f /etc/x",
            "[ -d /opt/x ] && ls /opt/x",
            "cat /proc/cpuinfo | wc -l",
            "docker ps --format '{{.Names}}' | grep -w llm",
            "docker compose ps -q 2>/dev/null",
            "docker compose -f /opt/x/docker-compose.yml ps",
            "systemctl is-active docker >/dev/null 2>&1; true",
            "systemctl --no-pager status nginx",
            "nvidia-smi --query-gpu=name --format=csv,noheader",
            "dpkg -l | awk '{print $2}'",
            "dpkg-query -W -f='${Version}' docker.io",
            "apt-cache policy docker.io",
            "rpm -qa",
            "ip -4 addr show eth0 | grep inet | head -1",
            "ip route get 1.1.1.1",
            "ps aux | grep [n]ginx",
            "find /var/log -name '*.gz' -mtime +7",
            "sed -n '1,10p' /etc/fstab",
            "sed 's/a/b/g;s|x|y|' /etc/fstab",
            "hostname -I | cut -d' ' -f1",
            "echo \"$HOME $(uname -r)\"",
            "date +%s",
            "LC_ALL=C df -h / | tail -n 1",
            "! command -v docker",
            "id -u ubuntu &>/dev/null",
            "sort /etc/passwd | uniq -c",
            "getent passwd root",
            "# a comment\nuname -a\n",
            "set -o pipefail; cat /etc/os-release | grep ID",
            "iptables -t nat -C POSTROUTING -o eth0 -j MASQUERADE",
            "sudo systemctl is-enabled ssh",
            "timeout 5 stat /share",
            "env",
            "sysctl -n net.ipv4.ip_forward",
            "ollama list",
            "docker --version && java -version",
            "findmnt -n -o SOURCE --target /share",
            "journalctl -u docker --no-pager -n 50",
            "wc -l < /etc/passwd",
            "cat a b 2>&1 | tee",
        ] {
            assert!(script_only_reads(text), "{text}");
        }
    }

    #[test]
    fn whatever_may_change_or_is_unsure_does_not() {
        for text in [
            "",
            "rm -rf /tmp/x",
            "mount /dev/sdb1 /mnt",
            "mount -a",
            "echo hi > /etc/motd",
            "echo hi >> /etc/motd",
            "cat x >/dev/sda",
            "grep x y && touch z",
            "grep x y || rm z",
            "curl -s http://x",
            "wget x",
            "ls; reboot",
            "ls & rm x",
            "echo $(rm x)",
            "echo `rm x`",
            "echo \"$(touch /x)\"",
            "echo ${x:=1}",
            "$CMD x",
            "\"$CMD\" x",
            "find / -delete",
            "find / -name x -exec rm {} +",
            "find / -fprint /etc/x",
            "find . $ARGS",
            "sort -o /etc/passwd /etc/passwd",
            "sort --outp=/etc/passwd x",
            "sort -uo/etc/passwd x",
            "sort $X y",
            "uniq a b",
            "sed -i s/a/b/ x",
            "sed -ni p x",
            "sed --in-pl s/a/b/ x",
            "sed 's/a/b/w /etc/x' y",
            "sed 's/a/b/e' y",
            "sed -n 'w /etc/x' y",
            "awk 'BEGIN{system(\"rm x\")}'",
            "awk '{print > \"/etc/x\"}' y",
            "awk '{print | \"sh\"}' y",
            "awk -f prog y",
            "awk \"$PROG\" y",
            "date -s tomorrow",
            "date --se=x",
            "hostname newname",
            "sysctl -w a=b",
            "sysctl a=b",
            "systemctl restart x",
            "systemctl",
            "systemctl -H other status",
            "docker run x",
            "docker compose up -d",
            "docker logs -f x",
            "nvidia-smi -pm 1",
            "nvidia-smi -f /etc/x",
            "dpkg -i x.deb",
            "dpkg -l --admindir=/x -i y",
            "rpm -i x",
            "rpm -q --pipe 'rm x' y",
            "ip link set eth0 down",
            "ip -b file",
            "ip netns exec x rm y",
            "PATH=/tmp ls",
            "LD_PRELOAD=/tmp/x.so ls",
            "X=1",
            "env rm x",
            "env X=1 rm x",
            "ls | xargs rm",
            "(rm x)",
            "{ rm x; }",
            "if true; then rm x; fi",
            "for i in a; do rm $i; done",
            "f() { rm x; }; f",
            "cat <<EOF\nx\nEOF",
            "cat <<< x",
            "eval ls",
            ". /etc/profile",
            "exec rm x",
            "tee /etc/x",
            "ls | tee /etc/x",
            "./ls",
            "/tmp/ls",
            "/opt/bin/id",
            "command rm x",
            "sudo rm x",
            "sudo -u x ls",
            "timeout 5 rm x",
            "journalctl --vacuum-time=1s",
            "journalctl --vac=1s",
            "tail -f /var/log/x",
            "iptables -A INPUT -j DROP",
            "iptables -L -Z",
            "test -f x; unknown-program",
            "echo 'unterminated",
            "echo \"unterminated",
            "ls >| /dev/null/x",
            "ls 3> x",
            "python3 -c 'import os'",
            "alias ls=rm; ls",
            "true & ",
            "{ls,-la}",
            "file -C -m x",
            "xxd -r a b",
            "env -S 'rm x'",
            "printf x | sh",
            "crontab -r",
            "cat x | bash",
            "diff <(rm x) y",
            "echo $((x=1))",
            "ls \\\n; rm x",
            "type -t ls && : > /etc/x",
            "awk -v x=$Y '{print}' z",
            "date -d $X",
            "docker compose -f $X ps",
            "make version",
            "bash -version",
            "python3 version",
        ] {
            assert!(!script_only_reads(text), "{text}");
        }
    }

    #[test]
    fn without_a_shell_nothing_is_special_but_the_program() {
        let argv = |t: &str| t.split(' ').map(String::from).collect::<Vec<_>>();
        assert!(argv_only_reads(&argv("grep -q $HOME;x /etc/passwd")));
        assert!(argv_only_reads(&argv("/usr/bin/stat /share")));
        assert!(!argv_only_reads(&argv("touch x")));
        assert!(!argv_only_reads(&[]));
    }
}

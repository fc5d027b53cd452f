//! Small texts of the kernel and of system files, parsed.

use super::MountEntry;

/// A field of fstab or mountinfo: `\040` is a blank.
pub(super) fn unescape(field: &str) -> String {
    let bytes = field.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let octal = bytes
            .get(i + 1..i + 4)
            .filter(|d| bytes[i] == b'\\' && d.iter().all(|c| (b'0'..=b'7').contains(c)))
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 8).ok());
        match octal {
            Some(byte) => {
                out.push(byte);
                i += 4;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The lines of `/proc/self/mountinfo` (see `proc_pid_mountinfo(5)`).
pub(super) fn mountinfo(text: &str) -> Vec<MountEntry> {
    text.lines().filter_map(mountinfo_line).collect()
}

fn mountinfo_line(line: &str) -> Option<MountEntry> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let mut right = right.split(' ');
    let fstype = right.next()?;
    let source = right.next()?;
    let mut options = left.get(5)?.to_string();
    // Options of the super-block that the mount does not say already.
    for option in right.next().unwrap_or("").split(',') {
        if !option.is_empty() && !options.split(',').any(|o| o == option) {
            options.push(',');
            options.push_str(option);
        }
    }
    Some(MountEntry {
        source: unescape(source),
        target: unescape(left.get(4)?),
        fstype: fstype.to_owned(),
        options,
        root: unescape(left.get(3)?),
        device: (*left.get(2)?).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_lines_are_unescaped_and_options_joined() {
        let text = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\nbroken\n";
        let mounts = mountinfo(text);
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].target, "/mnt 2");
        assert_eq!(mounts[0].root, "/mnt1");
        assert_eq!(mounts[0].options, "rw,noatime,errors=continue");
        assert_eq!(unescape("a\\"), "a\\");
    }
}

//! User-data for a new host: from `templates/user-data.sh` (with its parts for tokens and for S3) and
//! `templates/lks-agent.service`.

use lks_agent::encoding::unhex;
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::{Digest, digest_of};
use lks_agent::uplink::wire;

const SCRIPT: &str = include_str!("../../../templates/user-data.sh");
/// What a host does that joins by a token.
const WITH_TOKEN: &str = include_str!("../../../templates/user-data-token.sh");
/// How an object of S3 is fetched.
const FROM_S3: &str = include_str!("../../../templates/user-data-s3.sh");
const UNIT: &str = include_str!("../../../templates/lks-agent.service");

/// What EC2 takes.
pub const MAX_USER_DATA: usize = 16 << 10;
/// How often all addresses are tried, five seconds apart: a new network may take minutes.
const TRIES: u32 = 60;
/// An object of S3.
const S3: &str = "s3://";
/// Between the parts of the MIME form.
const BOUNDARY: &str = "==lks-user-data==";

/// What a new host is told.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// Where the agent is fetched from, in order: URLs, `s3://BUCKET/KEY` (with `?region=REGION` if it is
    /// another one than the host's), or [`CONTROLLER`].
    pub urls: Vec<String>,
    /// Its SHA-256.
    pub sha256: String,
    /// The controller's address.
    pub controller: String,
    /// The SHA-256 of its authority's certificate.
    pub pin: String,
    /// How the host joins.
    pub join: Join,
    /// The host's name; its name in the network if none.
    pub name: Option<String>,
    /// Public keys that sign bundles, one a line.
    pub bundle_keys: String,
}

/// In the place of a URL: the controller itself.
pub const CONTROLLER: &str = "controller";

/// How a host joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Join {
    /// By a token, which is in the user-data.
    Token(String),
    /// By its role's signature, and its identity document if it is asked for.
    Iam,
    /// By its identity document alone.
    Document,
}

/// The form of user-data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A script: cloud-init runs it at an instance's first boot.
    Shell,
    /// MIME parts for cloud-init: the script, at every boot.
    Mime,
}

impl Bootstrap {
    /// The user-data.
    ///
    /// # Errors
    /// When a value cannot stand in a script, or it gets larger than EC2 takes.
    pub fn render(&self, form: Form) -> Result<String> {
        self.check()?;
        let mut arguments = vec![
            format!("--controller {}", self.controller),
            format!("--pin {}", self.pin),
            "--bundle-keys /etc/lks/bundle-keys".to_string(),
        ];
        let token = match &self.join {
            Join::Token(token) => {
                arguments.push("--token-file /etc/lks/join-token".into());
                token.as_str()
            }
            Join::Iam => {
                arguments.push("--join iam".into());
                ""
            }
            Join::Document => {
                arguments.push("--join iid".into());
                ""
            }
        };
        if let Some(name) = &self.name {
            arguments.push(format!("--name {name}"));
        }
        let unit = UNIT.replace("@ARGUMENTS@", &arguments.join(" "));
        let urls: Vec<String> = self.urls.iter().map(|u| format!("'{u}'")).collect();
        let id = digest_of(token.as_bytes(), Digest::Sha256);
        let with_token = if token.is_empty() { "" } else { WITH_TOKEN };
        let from_s3 = self.urls.iter().any(|u| u.starts_with(S3));
        let script = [
            ("@JOIN@", with_token),
            ("@S3@", if from_s3 { FROM_S3 } else { "" }),
            ("@UNIT@", unit.trim_end()),
            ("@SHA256@", &self.sha256),
            ("@TRIES@", &TRIES.to_string()),
            ("@URLS@", &urls.join(" ")),
            ("@BUNDLE_KEYS@", self.bundle_keys.trim_end()),
            ("@TOKEN_ID@", &id[..12]),
            ("@TOKEN@", token),
            ("@CONTROLLER@", &self.controller),
        ]
        .iter()
        .fold(SCRIPT.to_string(), |text, (mark, value)| {
            text.replace(mark, value)
        });
        let text = match form {
            Form::Shell => script,
            Form::Mime => mime(&script),
        };
        if text.len() > MAX_USER_DATA {
            return Err(usage(format!(
                "the user-data has {} bytes, and EC2 takes {MAX_USER_DATA}: give fewer addresses or keys",
                text.len()
            )));
        }
        Ok(text)
    }

    /// Nothing that ends up in the script may mean anything to a shell or to systemd.
    fn check(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ":/.-_~?=&+,@[]".contains(c);
        for url in self.urls.iter().chain([&self.controller]) {
            // `%` is systemd's, and only in the controller's address, which has no need of it.
            let well = url
                .chars()
                .all(|c| plain(c) || (c == '%' && *url != self.controller));
            let known = ["https://", "http://", S3]
                .iter()
                .any(|s| url.starts_with(s));
            if !well || !(known || url == CONTROLLER) {
                return Err(usage(format!(
                    "`{url}` is no address that can stand in a script"
                )));
            }
        }
        if self.urls.is_empty() {
            return Err(usage("no address of the agent is given (--agent-url)"));
        }
        if !self.controller.starts_with("https://") {
            return Err(usage("the controller's address must begin with https://"));
        }
        for (what, text) in [
            ("the agent's SHA-256", &self.sha256),
            ("the pin", &self.pin),
        ] {
            let lower = text.chars().all(|c| !c.is_ascii_uppercase());
            if !lower || unhex(text).is_none_or(|b| b.len() != 32) {
                return Err(usage(format!("{what} must be 64 lower-case hex digits")));
            }
        }
        if let Join::Token(token) = &self.join
            && token
                .strip_prefix(wire::TOKEN_PREFIX)
                .and_then(unhex)
                .is_none()
        {
            return Err(usage("the join token is none"));
        }
        if self.name.as_ref().is_some_and(|n| !wire::is_name(n)) {
            return Err(usage("the name cannot be a host's"));
        }
        lks_agent::bundle::Keys::read(&self.bundle_keys)?;
        if self.bundle_keys.lines().any(|l| l == "LKS_KEYS") {
            return Err(usage("the keys cannot stand in a script"));
        }
        Ok(())
    }
}

fn mime(script: &str) -> String {
    format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\n\n\
         --{BOUNDARY}\nContent-Type: text/cloud-config; charset=\"us-ascii\"\n\n\
         #cloud-config\ncloud_final_modules:\n- [scripts-user, always]\n\n\
         --{BOUNDARY}\nContent-Type: text/x-shellscript; charset=\"us-ascii\"\n\
         Content-Disposition: attachment; filename=\"lks.sh\"\n\n{script}\n--{BOUNDARY}--\n"
    )
}

fn usage(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap() -> Bootstrap {
        Bootstrap {
            urls: vec![
                "https://a.example/x?y=%20".into(),
                "https://b.example/".into(),
            ],
            sha256: "ab".repeat(32),
            controller: "https://10.0.0.1:7443".into(),
            pin: "cd".repeat(32),
            join: Join::Token(format!("{}{}", wire::TOKEN_PREFIX, "ef".repeat(32))),
            name: None,
            bundle_keys: "12".repeat(32),
        }
    }

    #[test]
    fn every_mark_is_filled_and_the_shell_reads_it() {
        let mut all = bootstrap();
        all.urls
            .extend(["s3://b/k?region=eu-west-1".into(), CONTROLLER.into()]);
        let mut joins = vec![Join::Iam, Join::Document, all.join.clone()];
        while let Some(join) = joins.pop() {
            all.join = join;
            for form in [Form::Shell, Form::Mime] {
                let text = all.render(form).expect("renders");
                assert!(text.len() < MAX_USER_DATA * 3 / 4, "{} bytes", text.len());
                let mark = |w: &str| {
                    w.len() > 2
                        && w.chars()
                            .all(|c| c.is_ascii_uppercase() || "_3".contains(c))
                };
                let left = text.split('@').skip(1).find(|w| mark(w));
                assert_eq!(left, None, "a mark is left");
            }
            let script = all.render(Form::Shell).expect("renders");
            let done = std::process::Command::new("sh")
                .args(["-n", "-c", &script])
                .status();
            assert!(done.expect("sh").success());
        }
    }

    #[test]
    fn only_who_joins_by_a_token_is_given_one() {
        let mut b = bootstrap();
        assert!(
            b.render(Form::Shell)
                .expect("renders")
                .contains("join-token")
        );
        b.join = Join::Iam;
        let script = b.render(Form::Shell).expect("renders");
        assert!(
            script.contains("--join iam") && !script.contains("join-token"),
            "{script}"
        );
        assert!(!script.contains("openssl"), "nothing is fetched from S3");
    }

    /// The umask of `login.defs(5)`: what a command of a playbook makes must be no more private than over
    /// SSH, or a service's own account cannot read its program.
    #[test]
    fn playbooks_run_with_the_umask_of_a_login() {
        assert!(UNIT.contains("\nUMask=0022\n") && UNIT.contains("\nStateDirectoryMode=0700\n"));
    }

    #[test]
    fn what_a_shell_would_understand_is_refused() {
        let bad = |change: fn(&mut Bootstrap)| {
            let mut b = bootstrap();
            change(&mut b);
            b.render(Form::Shell).is_err()
        };
        assert!(bad(|b| b.urls[0] = "https://a/'; rm -rf /; '".into()));
        assert!(bad(|b| b.urls[0] = "https://a/$(id)".into()));
        assert!(bad(|b| b.urls[0] = "ftp://a/".into()));
        assert!(bad(|b| b.urls.clear()));
        assert!(bad(|b| b.controller = "https://a/%h".into()));
        assert!(bad(|b| b.controller = "http://a/".into()));
        assert!(bad(|b| b.sha256.truncate(63)));
        assert!(bad(|b| b.sha256 = "AB".repeat(32)));
        assert!(bad(|b| b.join = Join::Token("x".into())));
        assert!(bad(|b| b.urls[0] = "s3://bucket/`id`".into()));
        assert!(bad(|b| b.name = Some("a b".into())));
        assert!(bad(|b| b.bundle_keys = "no key".into()));
        assert!(bad(
            |b| b.urls = vec![format!("https://a/{}", "x".repeat(9000)); 2]
        ));
    }
}

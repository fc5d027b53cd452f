use super::*;
use std::process::{Child, Stdio};
use std::time::Duration;

/// A TLS server of the machine's `openssl`, ended with the test.
struct Tls(Child, u16);

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Tls {
    /// `None` where there is no `openssl`.
    fn start(s: &Scratch) -> Option<Self> {
        let host = RealHost::new();
        host.which("openssl").ok()??;
        let make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem \
            -subj /CN=lks-test -addext subjectAltName=IP:127.0.0.1 \
            -addext basicConstraints=critical,CA:FALSE";
        let mut command = Command::new(["sh", "-c", make]);
        command.chdir = Some(s.0.clone());
        assert!(host.query(&command).unwrap().success());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = std::process::Command::new("openssl")
            .args([
                "s_server", "-quiet", "-www", "-key", "key.pem", "-cert", "cert.pem",
            ])
            .args(["-accept", &port.to_string()])
            .current_dir(&s.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let tls = Self(server, port);
        let open = Effect::Await {
            probe: Probe::PortOpen {
                host: "127.0.0.1".into(),
                port,
                search: None,
                connect_timeout: Duration::from_secs(1),
            },
            delay: Duration::ZERO,
            timeout: Duration::from_secs(20),
            interval: Duration::from_millis(50),
        };
        apply(&mut RealHost::new(), open).unwrap();
        Some(tls)
    }
}

#[test]
fn a_server_is_believed_only_with_a_certificate_that_is_trusted() {
    let s = Scratch::new();
    let Some(server) = Tls::start(&s) else {
        return;
    };
    let host = RealHost::new();
    let mut request = Request::new("GET", format!("https://127.0.0.1:{}/", server.1));
    let error = host.fetch(&request).unwrap_err().message();
    assert!(error.contains("certificate"), "{error}");
    request.ca_path = Some(s.path("cert.pem"));
    assert_eq!(host.fetch(&request).unwrap().status, 200);
    request.ca_path = None;
    request.validate_certs = false;
    assert_eq!(host.fetch(&request).unwrap().status, 200);
    request.validate_certs = true;
    request.ca_path = Some(s.path("key.pem"));
    let error = host.fetch(&request).unwrap_err().message();
    assert!(error.contains("holds no certificates"), "{error}");
}

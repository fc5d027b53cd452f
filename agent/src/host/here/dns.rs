//! One question to a name server, over UDP, or over TCP where the answer is too long for that.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use crate::error::{Error, Result};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

/// As the resolver's defaults (`resolv.conf(5)`): seconds for an answer, and attempts.
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 2;

/// Port of name servers.
const PORT: u16 = 53;

/// The bit of a header's third byte that says that the answer was cut (RFC 1035, section 4.1.1).
const TRUNCATED: u8 = 0x02;

/// Sends a DNS message to `servers` (names or addresses, `ADDRESS:PORT` too; without any, those of
/// `/etc/resolv.conf`) and gives the first answer.
///
/// # Errors
/// When no server answers in time.
pub fn ask_name_servers(servers: &[String], message: &[u8], tcp: bool) -> Result<Vec<u8>> {
    let servers = addresses(servers)?;
    let mut why = None;
    for _ in 0..ATTEMPTS {
        for server in &servers {
            match ask(*server, message, tcp) {
                Ok(answer) => return Ok(answer),
                Err(error) => why = Some((server, error)),
            }
        }
    }
    Err(match why {
        Some((server, error)) => {
            Error::host(format!("the name server {server} does not answer")).caused_by(error)
        }
        None => Error::host("there is no name server to ask"),
    })
}

fn ask(server: SocketAddr, message: &[u8], tcp: bool) -> std::io::Result<Vec<u8>> {
    if tcp {
        return ask_by_tcp(server, message);
    }
    let any: IpAddr = if server.is_ipv4() {
        [0; 4].into()
    } else {
        [0; 16].into()
    };
    let socket = UdpSocket::bind((any, 0))?;
    // Only this server's packets count from here on.
    socket.connect(server)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.send(message)?;
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer)?;
        let answer = &buffer[..length];
        if answer.get(..2) != message.get(..2) {
            continue;
        }
        return if answer.get(2).is_some_and(|flags| flags & TRUNCATED != 0) {
            ask_by_tcp(server, message)
        } else {
            Ok(answer.to_vec())
        };
    }
}

fn ask_by_tcp(server: SocketAddr, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn addresses(servers: &[String]) -> Result<Vec<SocketAddr>> {
    if servers.is_empty() {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let named = text
            .lines()
            .filter_map(|line| line.strip_prefix("nameserver"));
        let found: Vec<SocketAddr> = named
            .filter_map(|word| word.trim().parse::<IpAddr>().ok())
            .map(|address| (address, PORT).into())
            .collect();
        return Ok(if found.is_empty() {
            vec![([127, 0, 0, 1], PORT).into()]
        } else {
            found
        });
    }
    let mut out = Vec::new();
    for server in servers {
        let found = match server.parse::<IpAddr>() {
            Ok(address) => vec![(address, PORT).into()],
            Err(_) => resolved(server)?,
        };
        out.extend(found);
    }
    Ok(out)
}

fn resolved(server: &str) -> Result<Vec<SocketAddr>> {
    let with_port = server.to_socket_addrs().map(Iterator::collect);
    let found = with_port.or_else(|_| (server, PORT).to_socket_addrs().map(Iterator::collect));
    found.map_err(|e| Error::host(format!("the name server {server} is not known")).caused_by(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that cuts its answer over UDP and gives the whole over TCP.
    #[test]
    fn an_answer_too_long_for_udp_is_asked_for_again_over_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).unwrap();
        let server = std::thread::spawn(move || {
            let mut buffer = [0; 512];
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            // Somebody else's answer, then the real one, cut.
            socket.send_to(&[9, 9, 0, 0], from).unwrap();
            socket
                .send_to(&[buffer[0], buffer[1], TRUNCATED, 0], from)
                .unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 2 + length];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(&[0, 3, buffer[0], buffer[1], 7]).unwrap();
        });
        let answer = ask_name_servers(&[address.to_string()], &[1, 2, 0, 0], false);
        server.join().unwrap();
        assert_eq!(answer.unwrap(), [1, 2, 7]);
    }
}

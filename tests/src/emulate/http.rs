//! As much HTTP/1.1 as an emulated agent needs, over TLS, in little memory.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What went wrong, for people.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// A connection that is kept open.
pub(crate) struct Connection(TlsStream<TcpStream>);

impl Connection {
    /// Connects, and shakes hands.
    pub async fn open(port: u16, config: Arc<ClientConfig>) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .map_err(|e| format!("connect: {e}"))?;
        let _ = stream.set_nodelay(true);
        let name = ServerName::try_from("127.0.0.1").map_err(|e| e.to_string())?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|e| format!("handshake: {e}"))?;
        Ok(Self(stream))
    }

    /// Asks, and gives status and body.
    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        bearer: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>)> {
        let authorization = match bearer {
            "" => String::new(),
            token => format!("authorization: Bearer {token}\r\n"),
        };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{authorization}content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.0
            .write_all(&request)
            .await
            .map_err(|e| format!("write: {e}"))?;
        self.answer()
            .await
            .map_err(|e| format!("{method} {path}: {e}"))
    }

    async fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut bytes = Vec::with_capacity(256);
        let head = loop {
            if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more(&mut bytes).await?;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let status = text
            .get(9..12)
            .and_then(|s| s.parse().ok())
            .ok_or("no status")?;
        let length = text
            .lines()
            .find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        while bytes.len() < head + length {
            self.more(&mut bytes).await?;
        }
        Ok((status, bytes.split_off(head)))
    }

    async fn more(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        match self.0.read_buf(bytes).await {
            Ok(0) => Err("the connection was closed".into()),
            Ok(_) => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    }
}

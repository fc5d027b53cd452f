//! TLS to PostgreSQL, by the same rustls and ring as everywhere else. Where the address asks for TLS,
//! the server's certificate is always verified: against `sslrootcert=FILE`, or what this machine trusts.

use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here;
use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

/// Whether a database is spoken to through TLS.
pub(super) enum Tls {
    /// It lies on this machine, or the network is trusted.
    Off,
    /// And how.
    On(Connect),
}

/// The address without what only this program understands of it, and TLS as it asks for it
/// (`sslmode` as in libpq's documentation; all that ask for TLS are `verify-full` here).
pub(super) fn of(url: &str) -> Result<(String, Tls)> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut wanted, mut roots, mut kept) = (false, None, Vec::new());
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", "require" | "verify-ca" | "verify-full")) => wanted = true,
            Some(("sslmode", "disable")) => {}
            Some(("sslmode", other)) => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("sslmode is disable or verify-full, not `{other}`"),
                ));
            }
            Some(("sslrootcert", path)) => roots = Some(path),
            _ => kept.push(pair),
        }
    }
    kept.push(if wanted {
        "sslmode=require"
    } else {
        "sslmode=disable"
    });
    let url = format!("{base}?{}", kept.join("&"));
    if !wanted {
        return Ok((url, Tls::Off));
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::host("cannot set TLS up").caused_by(e))?
            .with_root_certificates(trusted(roots)?)
            .with_no_client_auth();
    Ok((url, Tls::On(Connect(Arc::new(config)))))
}

fn trusted(file: Option<&str>) -> Result<RootCertStore> {
    let bad = |path: &str| Error::host(format!("{path} holds no certificates"));
    let mut roots = RootCertStore::empty();
    // Debian's and Red Hat's file of what the machine trusts.
    let known = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    ];
    let path = file.or_else(|| known.into_iter().find(|p| here::exists(Path::new(p))));
    let path = path.ok_or_else(|| {
        Error::host("this machine trusts no certificate authority")
            .hint("name one: sslrootcert=FILE")
    })?;
    let pem = here::read(Path::new(path))?;
    let pem = pem.ok_or_else(|| Error::host(format!("{path} does not exist (sslrootcert)")))?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| bad(path).caused_by(e))?;
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        return Err(bad(path));
    }
    Ok(roots)
}

/// Begins TLS on a connection.
#[derive(Clone)]
pub(super) struct Connect(Arc<ClientConfig>);

/// For one server.
pub(super) struct To(TlsConnector, ServerName<'static>);

impl<S> MakeTlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = To;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, name: &str) -> std::result::Result<To, Self::Error> {
        let name = ServerName::try_from(name.to_string())?;
        Ok(To(TlsConnector::from(Arc::clone(&self.0)), name))
    }
}

impl<S> TlsConnect<S> for To
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.0.connect(self.1, stream).await.map(Stream) })
    }
}

/// A connection within TLS.
pub(super) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    /// Passwords are checked by SCRAM without it: the certificate is verified already.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

//! Whom HTTPS trusts.

use super::*;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// The usual trust, read once: the certificate store of a host takes milliseconds.
#[derive(Default)]
pub(super) struct Tls {
    roots: OnceLock<RootCertStore>,
}

impl RealHost {
    /// The TLS side of a request.
    pub(super) fn tls(&self, request: &Request) -> Result<ClientConfig> {
        let provider = Arc::new(ciphers::provider(&request.ciphers)?);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::host("cannot set TLS up").caused_by(e))?;
        let builder = if request.validate_certs {
            builder.with_root_certificates(self.roots(request)?)
        } else {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        };
        let Some(path) = &request.client_cert else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = self.certificates(path)?;
        let key = self.key(request.client_key.as_ref().unwrap_or(path))?;
        builder
            .with_client_auth_cert(chain, key)
            .map_err(|e| Error::host("cannot use the client certificate").caused_by(e))
    }

    /// Mozilla's roots, those of the host, and those asked for.
    fn roots(&self, request: &Request) -> Result<RootCertStore> {
        let mut roots = self.shared.tls.roots.get_or_init(system_roots).clone();
        if let Some(path) = &request.ca_path {
            for certificate in self.certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|e| bad_pem(path).caused_by(e))?;
            }
        }
        Ok(roots)
    }

    fn certificates(&self, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
        let pem = self.read(path)?.ok_or_else(|| no_file(path))?;
        let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match found {
            Ok(list) if list.is_empty() => Err(bad_pem(path)),
            Ok(list) => Ok(list),
            Err(e) => Err(bad_pem(path).caused_by(std::io::Error::other(format!("{e:?}")))),
        }
    }

    fn key(&self, path: &Path) -> Result<PrivateKeyDer<'static>> {
        let pem = self.read(path)?.ok_or_else(|| no_file(path))?;
        PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| Error::host(format!("{} holds no private key", path.display())))
    }
}

fn bad_pem(path: &Path) -> Error {
    Error::host(format!(
        "{} holds no certificates in PEM form",
        path.display()
    ))
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    // A host with a broken certificate among good ones is common: the good ones count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// `validate_certs: false`: whoever answers is believed, but the signatures of the handshake hold.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

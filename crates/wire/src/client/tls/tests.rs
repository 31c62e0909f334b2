use std::net::SocketAddr;

use http::StatusCode;
use polycloud_core::ErrorKind;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls_native_certs::load_certs_from_paths;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::client::{HttpClient, HyperClient, Reached, RequestBody, ResponseBody};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(host: &str) -> CertificateParams {
    CertificateParams::new([host.to_owned()]).unwrap()
}

fn trusting(issuer: &Issuer) -> TlsConfig {
    TlsConfig::default().trust_pem(issuer.pem().as_bytes()).unwrap()
}

/// A server with a certificate of this issuer.
async fn serve(issuer: &Issuer, params: &CertificateParams) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(stream) = acceptor.accept(stream).await {
            answer(stream).await;
        }
    });
    address
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
}

async fn get(
    tls: TlsConfig,
    address: SocketAddr,
) -> Result<http::Response<ResponseBody>, SendError> {
    let request = http::Request::get(format!("https://{address}/")).body(RequestBody::empty());
    HyperClient::builder().tls(tls).build().send(request.unwrap()).await
}

#[track_caller]
fn assert_insecure(error: &SendError) {
    assert_eq!(error.kind(), SendErrorKind::Tls, "{error:?}");
    assert_eq!(error.reached(), Reached::Nothing);
}

#[tokio::test]
async fn a_trusted_server_is_talked_to() {
    let issuer = issuer();
    let address = serve(&issuer, &params("127.0.0.1")).await;
    let response = get(trusting(&issuer), address).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_certificate_of_another_issuer_is_refused() {
    let address = serve(&issuer(), &params("127.0.0.1")).await;
    assert_insecure(&get(trusting(&issuer()), address).await.unwrap_err());
}

#[tokio::test]
async fn the_certificate_of_another_host_is_refused() {
    let issuer = issuer();
    for host in ["example.com", "127.0.0.2"] {
        let address = serve(&issuer, &params(host)).await;
        assert_insecure(&get(trusting(&issuer), address).await.unwrap_err());
    }
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let issuer = issuer();
    for (from, to) in [(2000, 2001), (4000, 4001)] {
        let mut params = params("127.0.0.1");
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let address = serve(&issuer, &params).await;
        assert_insecure(&get(trusting(&issuer), address).await.unwrap_err());
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let mut sent = Vec::new();
        let _ = stream.read_to_end(&mut sent).await;
        sent
    });
    assert_insecure(&get(trusting(&issuer()), address).await.unwrap_err());
    let sent = server.await.unwrap();
    assert!(!sent.windows(4).any(|bytes| bytes == b"GET "), "the request left in clear");
}

#[test]
fn a_machine_without_certificates_is_told_how_to_get_some() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = || load_certs_from_paths(None, Some(empty.path()));
    let error = TlsConfig::default().client_with(nothing).unwrap_err();
    assert_insecure(&error);
    let error = Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(text.contains("ca-certificates") && text.contains("SSL_CERT_FILE"), "{text}");

    let missing = empty.path().join("missing.pem");
    let error = TlsConfig::default()
        .client_with(|| load_certs_from_paths(Some(&missing), None))
        .unwrap_err();
    assert!(error.source().is_some(), "what could not be read is the cause");

    assert!(trusting(&issuer()).client_with(nothing).is_ok());
}

#[test]
fn what_cannot_be_trusted_is_refused_when_it_is_given() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let good = issuer().pem();
    let cut = good.replace("-----END", "");
    let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "text", &key, &cut, other, &format!("{good}{other}")] {
        let error = TlsConfig::default().trust_pem(pem.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{pem}");
    }
    let both = format!("{good}{}", issuer().pem());
    assert_eq!(TlsConfig::default().trust_pem(both.as_bytes()).unwrap().roots.len(), 2);
}

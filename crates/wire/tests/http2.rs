//! HTTP/2 over several connections.
#![cfg(feature = "http2")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use polycloud_wire::client::{HttpClient, HyperClient, RequestBody, TlsConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server of HTTP/2 that counts its connections.
async fn server() -> (u16, String, Arc<AtomicUsize>) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let answer = service_fn(async |request: http::Request<hyper::body::Incoming>| {
                    let path = Bytes::from(request.uri().path().to_owned());
                    Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(path)))
                });
                let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = http2.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    (port, certified.cert.pem(), connections)
}

#[tokio::test]
async fn requests_share_a_few_connections() {
    let (port, certificate, connections) = server().await;
    let tls = TlsConfig::default().trust_pem(certificate.as_bytes()).unwrap();
    let client = HyperClient::builder().tls(tls).http2_connections(2).build();
    let get = async |n: usize| {
        let uri = format!("https://localhost:{port}//a/../{n}%2F");
        let request = http::Request::builder().uri(uri).body(RequestBody::empty()).unwrap();
        let mut response = client.send(request).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        let path = response.body_mut().next_chunk().await.unwrap().unwrap();
        assert_eq!(path, format!("//a/../{n}%2F"), "byte for byte");
    };
    get(0).await;
    get(1).await;
    join_all((0..40).map(get)).await;
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

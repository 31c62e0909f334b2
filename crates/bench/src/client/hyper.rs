use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::pieces::Pieces;
use super::{BUCKET, Client};
use crate::suite::Store;

/// hyper's pooled client with nothing around it: requests are not signed, bodies are counted and
/// thrown away, XML is not parsed.
#[derive(Clone)]
pub(super) struct Hyper {
    http: HttpClient<HttpConnector, Pieces>,
    server: Authority,
}

impl Client for Hyper {
    type Key = PathAndQuery;

    async fn open(store: Store, at: &str) -> anyhow::Result<Self> {
        if store != Store::S3 {
            bail!("hyper speaks HTTP only");
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        let server =
            at.parse::<Uri>()?.into_parts().authority.context("an endpoint without a host")?;
        Ok(Self { http, server })
    }

    fn key(name: &str) -> anyhow::Result<PathAndQuery> {
        Ok(format!("/{BUCKET}/{name}").parse()?)
    }

    async fn put(&self, key: &PathAndQuery, content: Bytes) -> anyhow::Result<()> {
        self.stream_in(key, content, 1).await
    }

    async fn get(&self, key: &PathAndQuery) -> anyhow::Result<u64> {
        self.stream_out(key).await
    }

    async fn head(&self, key: &PathAndQuery) -> anyhow::Result<()> {
        read(self.send(Method::HEAD, key.clone(), Pieces::empty()).await?).await?;
        Ok(())
    }

    async fn delete(&self, key: &PathAndQuery) -> anyhow::Result<()> {
        read(self.send(Method::DELETE, key.clone(), Pieces::empty()).await?).await?;
        Ok(())
    }

    async fn list(&self) -> anyhow::Result<u64> {
        let first = format!("/{BUCKET}?list-type=2");
        let (mut next, mut sum) = (Some(first.clone()), 0);
        while let Some(page) = next {
            let page = self.send(Method::GET, page.parse()?, Pieces::empty()).await?;
            let page = page.into_body().collect().await?.to_bytes();
            // All that is looked for stands at the beginning.
            let start = str::from_utf8(page.get(..1_000).context("a short page")?)?;
            sum += element(start, "KeyCount").context("no count")?.parse::<u64>()?;
            let token = element(start, "NextContinuationToken");
            next = token.map(|token| format!("{first}&continuation-token={token}"));
        }
        Ok(sum)
    }

    async fn stream_in(&self, key: &PathAndQuery, piece: Bytes, count: u64) -> anyhow::Result<()> {
        read(self.send(Method::PUT, key.clone(), Pieces::new(piece, count)).await?).await?;
        Ok(())
    }

    async fn stream_out(&self, key: &PathAndQuery) -> anyhow::Result<u64> {
        read(self.send(Method::GET, key.clone(), Pieces::empty()).await?).await
    }
}

impl Hyper {
    async fn send(
        &self,
        method: Method,
        path: PathAndQuery,
        body: Pieces,
    ) -> anyhow::Result<Response<Incoming>> {
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.server.clone());
        let uri = uri.path_and_query(path).build()?;
        let request = Request::builder().method(method).uri(uri).body(body)?;
        let response = self.http.request(request).await?;
        ensure!(response.status().is_success(), "{}", response.status());
        Ok(response)
    }
}

/// Reads a body to its end and returns its size.
async fn read(response: Response<Incoming>) -> anyhow::Result<u64> {
    let (mut body, mut sum) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        sum += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(sum)
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split('<').next()
}

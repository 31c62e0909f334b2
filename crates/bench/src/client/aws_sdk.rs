use anyhow::bail;
use aws_sdk_s3::Config;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_http_client::Builder;
use bytes::Bytes;

use super::pieces::Pieces;
use super::{BUCKET, Client, KEY_ID, REGION, SECRET};
use crate::suite::Store;

/// The AWS SDK for Rust. Its HTTP client is its own, without TLS, which the server does not speak.
#[derive(Clone)]
pub(super) struct AwsSdk(aws_sdk_s3::Client);

impl Client for AwsSdk {
    type Key = String;

    async fn open(store: Store, at: &str) -> anyhow::Result<Self> {
        if store != Store::S3 {
            bail!("the AWS SDK speaks to servers only");
        }
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(KEY_ID, SECRET, None, None, "benchmark"))
            .endpoint_url(at)
            .force_path_style(true)
            .build();
        Ok(Self(aws_sdk_s3::Client::from_conf(config)))
    }

    fn key(name: &str) -> anyhow::Result<String> {
        Ok(name.to_owned())
    }

    async fn put(&self, key: &String, content: Bytes) -> anyhow::Result<()> {
        let body = ByteStream::from(content);
        self.0.put_object().bucket(BUCKET).key(key).body(body).send().await?;
        Ok(())
    }

    async fn get(&self, key: &String) -> anyhow::Result<u64> {
        let object = self.0.get_object().bucket(BUCKET).key(key).send().await?;
        Ok(object.body.collect().await?.into_bytes().len() as u64)
    }

    async fn head(&self, key: &String) -> anyhow::Result<()> {
        self.0.head_object().bucket(BUCKET).key(key).send().await?;
        Ok(())
    }

    async fn delete(&self, key: &String) -> anyhow::Result<()> {
        self.0.delete_object().bucket(BUCKET).key(key).send().await?;
        Ok(())
    }

    async fn list(&self) -> anyhow::Result<u64> {
        let mut pages = self.0.list_objects_v2().bucket(BUCKET).into_paginator().send();
        let mut sum = 0;
        while let Some(page) = pages.next().await {
            sum += page?.contents().len() as u64;
        }
        Ok(sum)
    }

    async fn stream_in(&self, key: &String, piece: Bytes, count: u64) -> anyhow::Result<()> {
        let pieces = Pieces::new(piece, count);
        let size = i64::try_from(pieces.size())?;
        let body = ByteStream::new(SdkBody::from_body_1_x(pieces));
        let put = self.0.put_object().bucket(BUCKET).key(key).content_length(size);
        put.body(body).send().await?;
        Ok(())
    }

    async fn stream_out(&self, key: &String) -> anyhow::Result<u64> {
        let mut body = self.0.get_object().bucket(BUCKET).key(key).send().await?.body;
        let mut sum = 0;
        while let Some(piece) = body.try_next().await? {
            sum += piece.len() as u64;
        }
        Ok(sum)
    }
}

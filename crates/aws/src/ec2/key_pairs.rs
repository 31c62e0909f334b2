//! Key pairs that EC2 holds.

use async_trait::async_trait;
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{KeyPair, KeyPairs, PrivateKey, PublicKey};
use polycloud_core::{Error, Outcome, ResourceRef, Result, ResultExt as _};

use super::instance::incomplete;
use super::ledger::KEY_PAIR;
use super::list::filter;
use super::{Ec2Compute, Inner, tags};
use crate::PROVIDER;

/// Key pairs have names and no ids: so begins what is remembered of those that were just made.
const FRESH: &str = "key pair ";

#[async_trait]
impl KeyPairs for Ec2Compute {
    async fn import(&self, name: &str, key: &PublicKey) -> Result<KeyPair> {
        self.0.import_key(name, key).await.during(PROVIDER, "import_key_pair", name)
    }

    /// The key is of the type Ed25519, in the format of OpenSSH.
    async fn generate(&self, name: &str) -> Result<(KeyPair, PrivateKey)> {
        self.0.generate_key_pair(name).await.during(PROVIDER, "generate_key_pair", name)
    }

    async fn list(&self) -> Result<Vec<KeyPair>> {
        self.0.key_pairs().await.during(PROVIDER, "list_key_pairs", self.0.region())
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let id = format!("{FRESH}{name}");
        let removed = self.0.removed(&id, || {
            let request = self.0.caller.client().delete_key_pair().key_name(name);
            self.0.caller.call("DeleteKeyPair", request.send())
        });
        removed.await.during(PROVIDER, "delete_key_pair", name)
    }
}

impl Inner {
    async fn import_key(&self, name: &str, key: &PublicKey) -> Result<KeyPair> {
        let tags = tags::specification(sdk::ResourceType::KeyPair, tags::of(name, None));
        let request = self.caller.client().import_key_pair().key_name(name);
        let request = request.public_key_material(Blob::new(key.as_str())).tag_specifications(tags);
        let answer = self.caller.call("ImportKeyPair", request.send()).await?;
        self.made(&format!("{FRESH}{name}"));
        Ok(KeyPair::new(name, answer.key_fingerprint.unwrap_or_default()))
    }

    async fn key_pairs(&self) -> Result<Vec<KeyPair>> {
        let listed = self.complete(
            FRESH,
            |(name, _): &(String, KeyPair)| name,
            || async {
                let request = self.caller.client().describe_key_pairs();
                let answer = self.caller.call("DescribeKeyPairs", request.send()).await?;
                let described = |key: &sdk::KeyPairInfo| {
                    let name = key.key_name()?;
                    let pair = KeyPair::new(name, key.key_fingerprint().unwrap_or_default());
                    Some((format!("{FRESH}{name}"), pair))
                };
                Ok(answer.key_pairs().iter().filter_map(described).collect())
            },
        );
        Ok(listed.await?.into_iter().map(|(_, pair)| pair).collect())
    }

    async fn generate_key_pair(&self, name: &str) -> Result<(KeyPair, PrivateKey)> {
        let token = self.draw_token();
        let mut own = tags::of(name, None);
        own.push(tags::tag(tags::TOKEN, &token));
        let request = self
            .caller
            .client()
            .create_key_pair()
            .key_name(name)
            .key_type(sdk::KeyType::Ed25519)
            .key_format(sdk::KeyFormat::Pem)
            .tag_specifications(tags::specification(sdk::ResourceType::KeyPair, own));
        let answer = self.caller.call("CreateKeyPair", request.send()).await;
        let told = answer.and_then(|answer| {
            let key = answer.key_material.ok_or_else(|| incomplete("a key pair without a key"))?;
            let pair = KeyPair::new(name, answer.key_fingerprint.unwrap_or_default());
            Ok((pair, PrivateKey::new(key)))
        });
        match told {
            Ok(told) => {
                self.made(&format!("{FRESH}{name}"));
                Ok(told)
            }
            Err(error) if error.outcome() == Outcome::NotApplied => Err(error),
            Err(error) => Err(self.without_key_pair(name, &token, error).await),
        }
    }

    /// Removes the pair that nobody has the private key of. One of somebody else's has another token.
    async fn without_key_pair(&self, name: &str, token: &str, error: Error) -> Error {
        let removed = async {
            let request = self.caller.client().describe_key_pairs();
            let request = request.filters(filter(format!("tag:{}", tags::TOKEN), [token]));
            let answer = self.caller.call("DescribeKeyPairs", request.send()).await?;
            for id in answer.key_pairs().iter().filter_map(sdk::KeyPairInfo::key_pair_id) {
                let request = self.caller.client().delete_key_pair().key_pair_id(id);
                self.caller.call("DeleteKeyPair", request.send()).await?;
            }
            Ok::<_, Error>(answer.key_pairs().len())
        };
        match removed.await {
            Ok(1..) => error.with_outcome(Outcome::NotApplied),
            // It may be there, and not be seen yet.
            Ok(0) => error,
            Err(_) => error.with_leaked([ResourceRef::new(KEY_PAIR, name)]),
        }
    }
}

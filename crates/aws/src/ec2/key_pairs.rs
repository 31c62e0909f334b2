//! Key pairs that EC2 holds.

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{KeyPair, KeyPairs, PrivateKey, PublicKey};
use polycloud_core::{Error, Outcome, ResourceRef, Result, ResultExt as _};

use super::instance::incomplete;
use super::ledger::KEY_PAIR;
use super::list::filter;
use super::{Ec2Compute, Inner, tags};
use crate::PROVIDER;

#[async_trait]
impl KeyPairs for Ec2Compute {
    async fn import(&self, name: &str, key: &PublicKey) -> Result<KeyPair> {
        let import = async {
            let tags = tags::specification(sdk::ResourceType::KeyPair, tags::of(name, None));
            let material = aws_sdk_ec2::primitives::Blob::new(key.as_str());
            let request = self.0.caller.client().import_key_pair().key_name(name);
            let request = request.public_key_material(material).tag_specifications(tags);
            let answer = self.0.caller.call("ImportKeyPair", request.send()).await?;
            Ok(KeyPair::new(name, answer.key_fingerprint.unwrap_or_default()))
        };
        import.await.during(PROVIDER, "import_key_pair", name)
    }

    /// The key is of the type Ed25519, in the format of OpenSSH.
    async fn generate(&self, name: &str) -> Result<(KeyPair, PrivateKey)> {
        self.0.generate_key_pair(name).await.during(PROVIDER, "generate_key_pair", name)
    }

    async fn list(&self) -> Result<Vec<KeyPair>> {
        let list = async {
            let request = self.0.caller.client().describe_key_pairs();
            let answer = self.0.caller.call("DescribeKeyPairs", request.send()).await?;
            let described = |key: &sdk::KeyPairInfo| {
                Some(KeyPair::new(key.key_name()?, key.key_fingerprint().unwrap_or_default()))
            };
            Ok(answer.key_pairs().iter().filter_map(described).collect())
        };
        list.await.during(PROVIDER, "list_key_pairs", self.0.region())
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.0.delete_key_pair(name).await.during(PROVIDER, "delete_key_pair", name)
    }
}

impl Inner {
    async fn generate_key_pair(&self, name: &str) -> Result<(KeyPair, PrivateKey)> {
        let random = self.caller.random();
        let token = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
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
            Err(error) if error.outcome() != Outcome::NotApplied => {
                Err(self.without_key_pair(name, &token, error).await)
            }
            told => told,
        }
    }

    /// Removes a pair that nobody has the private key of, and that somebody else's of the name is not.
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

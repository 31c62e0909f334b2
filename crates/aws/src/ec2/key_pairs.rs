//! Key pairs that EC2 holds.

use async_trait::async_trait;
use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{KeyPair, KeyPairs, PublicKey};
use polycloud_core::{Result, ResultExt as _};

use super::{Ec2Compute, tags};
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

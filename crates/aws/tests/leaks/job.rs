//! What is to be created, and what came of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polycloud_core::compute::{
    Compute, Count, CreateOptions, Hardware, IdempotencyToken, IngressRule, InstanceName,
    InstanceSpec, Protocol, PublicKey,
};
use polycloud_core::{Error, Outcome, ResourceRef};
use polycloud_emulator::Ec2Resource;

use crate::lab::owner;

/// The type of all instances that are ours, which no other is of.
pub(crate) const TYPE: &str = "t3.small";

/// A create, which may be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) name: String,
    /// None: each call draws its own.
    pub(crate) token: Option<String>,
    pub(crate) is_owned: bool,
    /// Fewest and most; none: a single one, by `create`.
    pub(crate) count: Option<(u32, u32)>,
    pub(crate) ingress: bool,
    pub(crate) key: bool,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// With these instances, by the identifiers of EC2, and their names.
    Made(Vec<(String, String)>),
    Failed {
        outcome: Outcome,
        leaked: Vec<ResourceRef>,
        #[allow(dead_code, reason = "it is for those who read what went wrong")]
        text: String,
    },
    /// The caller went before it ended.
    Gone,
}

impl End {
    pub(crate) fn failed(error: &Error) -> Self {
        let text = format!("{error:?}");
        Self::Failed { outcome: error.outcome(), leaked: error.leaked().to_vec(), text }
    }

    /// Whether nothing may be left of it.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Failed { outcome: Outcome::NotApplied, leaked, .. } if leaked.is_empty())
    }
}

impl Job {
    /// A single instance with everything that is made beside it.
    pub(crate) fn whole(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            token: Some(format!("token-{name}")),
            is_owned: true,
            count: None,
            ingress: true,
            key: true,
        }
    }

    pub(crate) fn many(name: &str, min: u32, max: u32) -> Self {
        Self { count: Some((min, max)), ..Self::whole(name) }
    }

    pub(crate) fn least(&self) -> usize {
        self.count.map_or(1, |(min, _)| min as usize)
    }

    pub(crate) fn most(&self) -> usize {
        self.count.map_or(1, |(_, max)| max as usize)
    }

    fn spec(&self) -> InstanceSpec {
        let name = InstanceName::new(&self.name).unwrap();
        let mut spec = InstanceSpec::new(name)
            .with_hardware(Hardware::of_type(TYPE))
            .with_image("ubuntu:24.04".parse().unwrap());
        if self.ingress {
            let anywhere = "0.0.0.0/0".parse().unwrap();
            spec = spec.with_ingress(IngressRule::new(Protocol::Tcp, 22..=22, anywhere).unwrap());
        }
        if self.key {
            spec = spec.with_ssh_key(public_key());
        }
        spec
    }

    fn options(&self) -> CreateOptions {
        let mut options = CreateOptions::default();
        if let Some(token) = &self.token {
            options = options.with_token(IdempotencyToken::new(token).unwrap());
        }
        if self.is_owned { options.with_owner(owner()) } else { options }
    }

    /// Does it.
    pub(crate) async fn create(&self, compute: &dyn Compute) -> End {
        let (spec, options) = (self.spec(), self.options());
        let made = match self.count {
            None => compute.create(&spec, &options).await.map(|instance| vec![instance]),
            Some((min, max)) => {
                let count = Count::new(min, max).unwrap();
                compute.create_many(&spec, count, &options).await.map(|report| report.instances)
            }
        };
        match made {
            Ok(made) => End::Made(
                made.iter().map(|it| (it.id.native().to_owned(), it.name.to_string())).collect(),
            ),
            Err(error) => End::failed(&error),
        }
    }

    /// Whether something was made for it: its name tells.
    pub(crate) fn made(&self, resource: &Ec2Resource) -> bool {
        let Some(name) = resource.tags.get("Name") else { return false };
        let beside = format!("polycloud-{}-", self.name);
        let is_numbered = || {
            name.strip_prefix(&format!("{}-", self.name)).is_some_and(|n| n.parse::<u32>().is_ok())
        };
        *name == self.name || is_numbered() || name.starts_with(&beside)
    }
}

/// A key that EC2 takes.
pub(crate) fn public_key() -> PublicKey {
    let mut blob = Vec::new();
    for part in [b"ssh-ed25519".as_slice(), &[7; 32]] {
        blob.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend(part);
    }
    PublicKey::new(format!("ssh-ed25519 {}", STANDARD.encode(blob))).unwrap()
}

//! What belongs to others, and must stay as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polycloud_core::compute::{
    Arch, CreateOptions, Hardware, ImageSelector, IngressRule, InstanceName, InstanceSpec, Owner,
    Protocol,
};
use polycloud_emulator::Ec2Resource;

use crate::job::public_key;
use crate::lab::{Client, Lab};
use crate::plain::element;

/// Everything there was before, and the states of the instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bystanders {
    resources: Vec<Ec2Resource>,
    states: BTreeMap<String, String>,
}

impl Bystanders {
    /// Makes things of every kind: of other owners, also by names much like ours, and of nobody.
    pub(crate) async fn make(lab: &Lab, client: &Client) -> Self {
        let alias = "ubuntu:24.04".parse::<ImageSelector>().unwrap();
        let image = client.compute.resolve_image(&alias, Arch::X86_64).await.unwrap().id;
        neighbour(client).await;
        for owner in [None, Some("ours-too"), Some("OURS"), Some("")] {
            others(lab, owner, &image).await;
        }
        // Everything has come to rest.
        lab.pass(Duration::from_secs(120)).await;
        lab.catch_up().await;
        let resources = lab.inventory();
        let ids: BTreeSet<_> = resources.iter().map(|resource| resource.id.as_str()).collect();
        assert!(ids.len() >= 20, "{ids:?}");
        let states = states(lab);
        Self { resources, states }
    }

    pub(crate) fn has(&self, resource: &Ec2Resource) -> bool {
        self.resources.iter().any(|known| known.id == resource.id)
    }

    /// What is not as it was.
    pub(crate) fn changes(&self, lab: &Lab) -> Vec<String> {
        let now = lab.inventory();
        let states = states(lab);
        let mut changes = Vec::new();
        for before in &self.resources {
            if !now.contains(before) {
                let after = now.iter().find(|after| after.id == before.id);
                changes.push(format!("a bystander was touched: {before:?} is now {after:?}"));
            }
        }
        for (id, before) in &self.states {
            if states.get(id) != Some(before) {
                changes.push(format!("a bystander was {before}: {id} is {:?}", states.get(id)));
            }
        }
        changes
    }
}

fn states(lab: &Lab) -> BTreeMap<String, String> {
    lab.ec2().instances().into_iter().map(|it| (it.id, it.state)).collect()
}

/// An instance of another owner, made by the same means.
async fn neighbour(client: &Client) {
    let anywhere = "0.0.0.0/0".parse().unwrap();
    let spec = InstanceSpec::new(InstanceName::new("neighbour").unwrap())
        .with_hardware(Hardware::of_type("t3.micro"))
        .with_ingress(IngressRule::new(Protocol::Tcp, 80..=80, anywhere).unwrap());
    let options = CreateOptions::default().with_owner(Owner::new("neighbours").unwrap());
    client.compute.create(&spec, &options).await.unwrap();
}

/// Things that other tools have made.
async fn others(lab: &Lab, owner: Option<&str>, image: &str) {
    let tagged = |kind: &'static str| {
        let Some(owner) = owner else { return Vec::new() };
        let mut all = vec![("TagSpecification.1.ResourceType", kind)];
        for (n, key, value) in [(1, "polycloud-owner", owner), (2, "polycloud-managed", "1")] {
            all.push((KEYS[n - 1], key));
            all.push((VALUES[n - 1], value));
        }
        all
    };
    let name = format!("polycloud-web-{}", owner.unwrap_or("nobody"));
    let ask = async |action: &str, kind, mut parameters: Vec<(&'static str, &str)>| {
        let tags = tagged(kind);
        parameters.extend(tags);
        lab.ask(action, &parameters).await
    };
    let group = [("GroupName", name.as_str()), ("GroupDescription", "of others")];
    ask("CreateSecurityGroup", "security-group", group.to_vec()).await;
    let material = STANDARD.encode(public_key().as_str());
    let key = vec![("KeyName", name.as_str()), ("PublicKeyMaterial", &material)];
    ask("ImportKeyPair", "key-pair", key).await;
    let volume = vec![("AvailabilityZone", "us-east-1a"), ("Size", "1")];
    ask("CreateVolume", "volume", volume).await;
    let instance = vec![
        ("ImageId", image),
        ("InstanceType", "t3.micro"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    let answer = ask("RunInstances", "instance", instance).await;
    assert!(element(&answer, "instanceId").starts_with("i-"));
}

const KEYS: [&str; 2] = ["TagSpecification.1.Tag.1.Key", "TagSpecification.1.Tag.2.Key"];
const VALUES: [&str; 2] = ["TagSpecification.1.Tag.1.Value", "TagSpecification.1.Tag.2.Value"];

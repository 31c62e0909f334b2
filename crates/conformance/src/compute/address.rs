//! Addresses of instances.

use polycloud_core::compute::{
    Cidr, IngressRule, InstanceState as State, Protocol, PublicKey, RestartMode,
};

use super::lab::Lab;
use crate::case::{cases, ensure, ensure_eq};

cases! {
    Compute, "address";

    /// A running instance has a private address, by which it is reached if it has no public one.
    async fn private(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let instance = lab.run_bare("a").await?;
        ensure!(instance.public_ips.is_empty(), "it has {:?}", instance.public_ips);
        ensure!(!instance.private_ips.is_empty(), "it has no private address");
        ensure_eq!(instance.ip(), instance.private_ips.first().copied());
        Ok(())
    }

    /// A running instance that was to have a public address has one, by which it is reached.
    #[needs(PublicIp)]
    async fn public(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let instance = lab.run(&lab.spec("a")?.with_public_ip(true)).await?;
        ensure!(!instance.public_ips.is_empty(), "it has no public address");
        ensure!(!instance.private_ips.is_empty(), "it has no private address");
        ensure_eq!(instance.ip(), instance.public_ips.first().copied());
        Ok(())
    }

    /// A restarted instance keeps its public address.
    #[needs(PublicIp, RestartGraceful)]
    async fn kept_over_a_restart(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let before = lab.run(&lab.spec("a")?.with_public_ip(true)).await?;
        lab.compute.restart(&before.id, RestartMode::Graceful).await?;
        let after = lab.reach(&before.id, State::Running).await?;
        ensure_eq!(after.public_ips, before.public_ips);
        ensure_eq!(after.private_ips, before.private_ips);
        Ok(())
    }

    /// An instance that was stopped and started has a public address again.
    #[needs(PublicIp, StopDeallocate)]
    async fn there_again_after_a_start(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let id = lab.run(&lab.spec("a")?.with_public_ip(true)).await?.id;
        lab.stop(&id).await?;
        lab.compute.start(&id).await?;
        let after = lab.reach(&id, State::Running).await?;
        ensure!(!after.public_ips.is_empty(), "it has no public address");
        Ok(())
    }

    /// An instance is created with ports open to networks.
    #[needs(Ingress)]
    async fn ingress(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let (office, all): (Cidr, Cidr) = ("192.0.2.0/24".parse()?, "0.0.0.0/0".parse()?);
        let spec = lab
            .spec("a")?
            .with_ingress(IngressRule::new(Protocol::Tcp, 22..=22, office)?)
            .with_ingress(IngressRule::new(Protocol::Udp, 4000..=4010, all)?);
        let instance = lab.run(&spec).await?;
        lab.terminate(&instance.id).await
    }

    /// An instance is created with keys for its login user.
    #[needs(SshKeys)]
    async fn ssh_keys(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        lab.run(&lab.spec("a")?.with_ssh_key(public_key()?)).await?;
        Ok(())
    }
}

/// The public half of a key whose private half nobody has any more.
pub(super) fn public_key() -> polycloud_core::Result<PublicKey> {
    PublicKey::new(concat!(
        "ssh-ed25519 ",
        "AAAAC3NzaC1lZDI1NTE5AAAAICE58g2EuwYgHSZgd7zYwKhkKP8IPsBlMGyuZkuMooQK ",
        "conformance",
    ))
}

//! The facets of a compute, forwarded. One line for each method: whether it reads or writes, the name
//! of the call, the signature, and behind `of` what the call is about.

use async_trait::async_trait;

use super::multipart::facet;
use super::{Around, Layered, run};
use crate::capability::Feature;
use crate::compute::{
    Compute, Console, ConsoleOutput, FirewallInfo, Firewalls, Hardware, Image, ImageBuild, Images,
    IngressRule, InstanceId, KeyPair, KeyPairs, Network, Networks, NewVolume, Price, Prices,
    PrivateKey, PublicKey, Quota, Quotas, Resize, Snapshot, Sweep, SweepOptions, SweepReport,
    Volume, Volumes,
};
use crate::error::Result;

macro_rules! forward {
    (
        $facet:ident by $accessor:ident:
        $($kind:ident $operation:literal
            $method:ident($($arg:ident: $ty:ty),*) -> $out:ty, of $target:expr;)+
    ) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<S: Compute + ?Sized, A: Around> $facet for Layered<S, A> {
            $(async fn $method(&self, $($arg: $ty),*) -> Result<$out> {
                let done = async {
                    let facet = facet(self.inner.$accessor(), Feature::$facet)?;
                    facet.$method($($arg),*).await
                };
                run(&*self.around, self.$kind($operation, &$target), done).await
            })+
        }
    };
}

forward! { KeyPairs by key_pairs:
    writes "import_key_pair" import(name: &str, key: &PublicKey) -> KeyPair, of name;
    writes "generate_key_pair" generate(name: &str) -> (KeyPair, PrivateKey), of name;
    reads "list_key_pairs" list() -> Vec<KeyPair>, of "";
    writes "delete_key_pair" delete(name: &str) -> (), of name;
}

forward! { Volumes by volumes:
    writes "create_volume" create(volume: &NewVolume) -> Volume, of volume.name;
    reads "get_volume" get(id: &str) -> Volume, of id;
    reads "list_volumes" list() -> Vec<Volume>, of "";
    writes "attach_volume" attach(id: &str, instance: &InstanceId) -> (), of id;
    writes "detach_volume" detach(id: &str) -> (), of id;
    writes "delete_volume" delete(id: &str) -> (), of id;
    writes "create_snapshot" snapshot(id: &str, name: &str) -> Snapshot, of id;
    reads "list_snapshots" snapshots() -> Vec<Snapshot>, of "";
    writes "delete_snapshot" delete_snapshot(id: &str) -> (), of id;
}

forward! { Networks by networks:
    reads "list_networks" list() -> Vec<Network>, of "";
    reads "default_network" default_network() -> Network, of "";
}

forward! { Firewalls by firewalls:
    writes "create_firewall" create(name: &str, rules: &[IngressRule]) -> FirewallInfo, of name;
    reads "list_firewalls" list() -> Vec<FirewallInfo>, of "";
    writes "set_firewall_rules" set_rules(id: &str, rules: &[IngressRule]) -> (), of id;
    writes "delete_firewall" delete(id: &str) -> (), of id;
}

forward! { Images by images:
    writes "create_image" create(build: &ImageBuild) -> Image, of build.instance;
    reads "list_images" list() -> Vec<Image>, of "";
    writes "delete_image" delete(id: &str) -> (), of id;
}

forward! { Console by console:
    reads "console" output(id: &InstanceId, from: u64) -> ConsoleOutput, of id;
}

forward! { Quotas by quotas:
    reads "list_quotas" list() -> Vec<Quota>, of "";
}

forward! { Resize by resize:
    writes "resize" resize(id: &InstanceId, hardware: &Hardware) -> (), of id;
}

forward! { Prices by prices:
    reads "hourly_price" hourly(instance_type: &str, spot: bool) -> Option<Price>, of instance_type;
}

forward! { Sweep by sweep:
    writes "sweep" sweep(options: &SweepOptions) -> SweepReport, of options.owner;
}

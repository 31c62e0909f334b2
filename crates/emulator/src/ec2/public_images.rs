//! Images that their publishers share with everyone.

use std::time::SystemTime;

use super::images::{AMAZON, CANONICAL, DEBIAN, Image};
use crate::auth::sha256_hex;
use crate::date;

/// Someone who publishes images that are named like those of others.
const STRANGER: &str = "444455556666";

/// What images of a publisher are called and what they are like.
struct Series {
    owner: &'static str,
    /// The name, with `{arch}` and `{build}` in it.
    name: &'static str,
    description: &'static str,
    /// `amd64`, or as the processors are called otherwise: `x86_64`.
    amd64: &'static str,
    root_device: &'static str,
    root_kind: &'static str,
    builds: &'static [(&'static str, &'static str)],
}

const UBUNTU: Series = Series {
    owner: CANONICAL,
    name: "",
    description: "",
    amd64: "amd64",
    root_device: "/dev/sda1",
    root_kind: "gp3",
    builds: &[
        ("20260219", "2026-02-19T06:14:28Z"),
        ("20260604", "2026-06-04T05:58:11Z"),
        ("20260917", "2026-09-17T06:02:47Z"),
    ],
};

const DEBIAN_SERIES: Series = Series {
    owner: DEBIAN,
    name: "",
    description: "",
    amd64: "amd64",
    root_device: "/dev/xvda",
    root_kind: "gp3",
    builds: &[
        ("20260316-2418", "2026-03-16T20:41:09Z"),
        ("20260713-2537", "2026-07-13T20:37:55Z"),
        ("20260921-2607", "2026-09-21T20:44:32Z"),
    ],
};

const AMAZON_SERIES: Series = Series {
    owner: AMAZON,
    name: "",
    description: "",
    amd64: "x86_64",
    root_device: "/dev/xvda",
    root_kind: "gp3",
    builds: &[
        ("2023.10.20260302.1", "2026-03-03T01:25:36Z"),
        ("2023.11.20260629.0", "2026-06-30T00:51:04Z"),
        ("2023.12.20260914.0", "2026-09-15T01:08:19Z"),
    ],
};

const SERIES: [Series; 12] = [
    Series {
        name: "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-{arch}-server-{build}",
        description: "Canonical, Ubuntu, 20.04 LTS, {arch} focal image",
        root_kind: "gp2",
        ..UBUNTU
    },
    Series {
        name: "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-{arch}-server-{build}",
        description: "Canonical, Ubuntu, 22.04 LTS, {arch} jammy image",
        root_kind: "gp2",
        ..UBUNTU
    },
    Series {
        name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{arch}-server-{build}",
        description: "Canonical, Ubuntu, 24.04, {arch} noble image",
        ..UBUNTU
    },
    Series {
        name: "ubuntu/images/hvm-ssd-gp3/ubuntu-resolute-26.04-{arch}-server-{build}",
        description: "Canonical, Ubuntu, 26.04, {arch} resolute image",
        builds: &[("20260604", "2026-06-04T06:31:40Z"), ("20260917", "2026-09-17T06:29:02Z")],
        ..UBUNTU
    },
    Series {
        name: "ubuntu-minimal/images/hvm-ssd-gp3/ubuntu-noble-24.04-{arch}-minimal-{build}",
        description: "Canonical, Ubuntu Minimal, 24.04, {arch} noble image",
        builds: &[("20260924", "2026-09-24T07:12:50Z")],
        ..UBUNTU
    },
    Series {
        name: "ubuntu/images-testing/hvm-ssd-gp3/ubuntu-noble-daily-{arch}-server-{build}",
        description: "Canonical, Ubuntu, 24.04, UNSUPPORTED daily {arch} noble image",
        builds: &[("20261020", "2026-10-20T05:02:13Z")],
        ..UBUNTU
    },
    Series {
        name: "debian-11-{arch}-{build}",
        description: "Debian 11 (20260713-2537)",
        builds: &[("20260713-2537", "2026-07-13T20:21:08Z")],
        ..DEBIAN_SERIES
    },
    Series {
        name: "debian-12-{arch}-{build}",
        description: "Debian 12 ({build})",
        ..DEBIAN_SERIES
    },
    Series {
        name: "debian-13-{arch}-{build}",
        description: "Debian 13 ({build})",
        ..DEBIAN_SERIES
    },
    Series {
        name: "al2023-ami-{build}-kernel-6.1-{arch}",
        description: "Amazon Linux 2023 AMI {build} {arch} HVM kernel-6.1",
        ..AMAZON_SERIES
    },
    Series {
        name: "al2023-ami-minimal-{build}-kernel-6.1-{arch}",
        description: "Amazon Linux 2023 AMI {build} {arch} Minimal HVM kernel-6.1",
        builds: &[("2023.12.20260914.0", "2026-09-15T01:31:44Z")],
        ..AMAZON_SERIES
    },
    // Whoever takes the newest image of a name, whatever its owner, takes this one.
    Series {
        owner: STRANGER,
        name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{arch}-server-{build}",
        description: "Canonical, Ubuntu, 24.04, {arch} noble image",
        builds: &[("20261111", "2026-11-11T11:11:11Z")],
        ..UBUNTU
    },
];

/// The public images of a region.
pub(super) fn all(region: &str) -> Vec<Image> {
    let mut images = Vec::new();
    for series in &SERIES {
        for architecture in ["x86_64", "arm64"] {
            let arch = if architecture == "arm64" { "arm64" } else { series.amd64 };
            for (build, time) in series.builds {
                let fill = |text: &str| text.replace("{arch}", arch).replace("{build}", build);
                let created = date::parse_extended(time).unwrap_or(SystemTime::UNIX_EPOCH);
                images.push(image(region, series, architecture, &fill, created));
            }
        }
    }
    images
}

fn image(
    region: &str,
    series: &Series,
    architecture: &str,
    fill: &dyn Fn(&str) -> String,
    created: SystemTime,
) -> Image {
    let name = fill(series.name);
    // An image has an id of its own in each region.
    let digits = sha256_hex(format!("{region} {} {name}", series.owner).as_bytes());
    let id = |prefix: &str, from: usize| {
        format!("{prefix}-0{}", digits.get(from..from + 16).unwrap_or_default())
    };
    Image {
        id: id("ami", 0),
        owner: series.owner.to_owned(),
        architecture: architecture.to_owned(),
        state: "available",
        root_device: series.root_device.to_owned(),
        root_snapshot: id("snap", 16),
        root_size_gib: 8,
        created,
        description: fill(series.description),
        root_kind: series.root_kind.to_owned(),
        further_disks: Vec::new(),
        source_instance: None,
        name,
    }
}

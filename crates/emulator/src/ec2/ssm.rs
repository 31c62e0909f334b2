//! Systems Manager: the public parameters that tell the newest images.

use serde_json::{Value, json};

use super::call::{Call, Targets};
use super::error::{Ec2Error, Result};
use super::filters::like;
use super::images::{AMAZON, CANONICAL, DEBIAN, Image};
use super::state::Region;
use crate::date;

pub(crate) const TARGETS: Targets =
    &[("AmazonSSM.GetParameter", get_parameter), ("AmazonSSM.GetParameters", get_parameters)];

/// Most names in a request.
const MAX_NAMES: usize = 10;

/// The releases of Ubuntu, with their adjectives and the kind of volume that their images are made for.
const UBUNTU: [(&str, &str, &str); 4] = [
    ("20.04", "focal", "gp2"),
    ("22.04", "jammy", "gp2"),
    ("24.04", "noble", "gp3"),
    ("26.04", "resolute", "gp3"),
];

/// The image that a public parameter tells: the newest one of its kind.
pub(crate) fn resolve<'a>(region: &'a Region, parameter: &str) -> Option<&'a Image> {
    let (owner, pattern) = pattern(parameter)?;
    let images = region.images.values();
    images
        .filter(|image| image.owner == owner && image.state == "available")
        .filter(|image| like(&pattern, &image.name))
        .max_by_key(|image| image.created)
}

/// The owner of the images of a parameter, and what their names are like.
fn pattern(parameter: &str) -> Option<(&'static str, String)> {
    let parts = parameter.strip_prefix("/aws/service/")?.split('/').collect::<Vec<_>>();
    match *parts.as_slice() {
        [
            "canonical",
            "ubuntu",
            "server",
            release,
            "stable",
            "current",
            arch,
            "hvm",
            volume,
            "ami-id",
        ] => {
            // A release goes by its number and by its adjective.
            let named = |known: &&(&str, &str, &str)| release == known.0 || release == known.1;
            let (number, adjective, kind) = UBUNTU.iter().find(named)?;
            if volume.strip_prefix("ebs-") != Some(*kind) || !is_debian_arch(arch) {
                return None;
            }
            let disk = if *kind == "gp3" { "hvm-ssd-gp3" } else { "hvm-ssd" };
            let pattern =
                format!("ubuntu/images/{disk}/ubuntu-{adjective}-{number}-{arch}-server-*");
            Some((CANONICAL, pattern))
        }
        ["debian", "release", release @ ("11" | "12" | "13"), "latest", arch]
            if is_debian_arch(arch) =>
        {
            Some((DEBIAN, format!("debian-{release}-{arch}-*")))
        }
        ["ami-amazon-linux-latest", name] => amazon(name).map(|pattern| (AMAZON, pattern)),
        _ => None,
    }
}

fn amazon(name: &str) -> Option<String> {
    let (rest, arch) = match name.strip_suffix("-arm64") {
        Some(rest) => (rest, "arm64"),
        None => (name.strip_suffix("-x86_64")?, "x86_64"),
    };
    match rest {
        "al2023-ami-kernel-default" | "al2023-ami-kernel-6.1" => {
            Some(format!("al2023-ami-2023.*-kernel-6.1-{arch}"))
        }
        "al2023-ami-minimal-kernel-default" | "al2023-ami-minimal-kernel-6.1" => {
            Some(format!("al2023-ami-minimal-2023.*-kernel-6.1-{arch}"))
        }
        _ => None,
    }
}

fn is_debian_arch(arch: &str) -> bool {
    matches!(arch, "amd64" | "arm64")
}

fn parameter(region: &Region, name: &str) -> Option<Value> {
    let image = resolve(region, name)?;
    let kind = if image.owner == AMAZON { "text" } else { "aws:ec2:image" };
    Some(json!({
        "Name": name,
        "Type": "String",
        "Value": image.id,
        "Version": 1,
        "LastModifiedDate": date::seconds(image.created),
        "ARN": format!("arn:aws:ssm:{}::parameter{name}", region.name),
        "DataType": kind,
    }))
}

fn get_parameter(region: &mut Region, _call: &Call<'_>, body: &Value) -> Result<Value> {
    let name = body.get("Name").and_then(Value::as_str).ok_or_else(|| invalid("name", "null"))?;
    let found = parameter(region, name).ok_or_else(|| {
        let message = format!("Parameter {name} not found.");
        Ec2Error::new("ParameterNotFound", message)
    })?;
    Ok(json!({ "Parameter": found }))
}

fn get_parameters(region: &mut Region, _call: &Call<'_>, body: &Value) -> Result<Value> {
    let names =
        body.get("Names").and_then(Value::as_array).ok_or_else(|| invalid("names", "null"))?;
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(invalid("names", &format!("a list of {}", names.len())));
    }
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        let name = name.as_str().ok_or_else(|| invalid("names", &name.to_string()))?;
        match parameter(region, name) {
            Some(parameter) => found.push(parameter),
            None => unknown.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": unknown }))
}

fn invalid(what: &str, value: &str) -> Ec2Error {
    let message = format!("1 validation error detected: Value {value} at '{what}' is not allowed");
    Ec2Error::new("ValidationException", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::testing::TestCall;

    fn get(name: &str) -> Result<Value> {
        let mut region = Region::new("us-east-1", "111122223333");
        let test = TestCall::new("");
        get_parameter(&mut region, &test.call(), &json!({ "Name": name }))
    }

    #[test]
    fn every_parameter_tells_an_image_of_its_owner_and_architecture() {
        let region = Region::new("us-east-1", "111122223333");
        let mut names = Vec::new();
        for arch in ["amd64", "arm64"] {
            for (release, adjective, kind) in UBUNTU {
                for release in [release, adjective] {
                    let start = "/aws/service/canonical/ubuntu/server";
                    let name =
                        format!("{start}/{release}/stable/current/{arch}/hvm/ebs-{kind}/ami-id");
                    names.push((name, CANONICAL, arch));
                }
            }
            for release in ["11", "12", "13"] {
                let name = format!("/aws/service/debian/release/{release}/latest/{arch}");
                names.push((name, DEBIAN, arch));
            }
            let machine = if arch == "amd64" { "x86_64" } else { arch };
            for kind in ["", "-minimal"] {
                let name = format!(
                    "/aws/service/ami-amazon-linux-latest/al2023-ami{kind}-kernel-default-{machine}"
                );
                names.push((name, AMAZON, arch));
            }
        }
        for (name, owner, arch) in names {
            let image = resolve(&region, &name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(image.owner, owner, "{name}");
            let arch = if arch == "amd64" { "x86_64" } else { arch };
            assert_eq!(image.architecture, arch, "{name}");
            let newer = region.images.values().filter(|other| {
                let stem =
                    |image: &Image| image.name.trim_end_matches(|c: char| c != '-').to_owned();
                other.owner == owner && stem(other) == stem(image) && other.created > image.created
            });
            assert_eq!(newer.count(), 0, "{name}");
        }
    }

    #[test]
    fn parameters_that_do_not_exist() {
        for name in [
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
            "/aws/service/canonical/ubuntu/server/18.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/x86_64/hvm/ebs-gp3/ami-id",
            "/aws/service/debian/release/12/latest/x86_64",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-amd64",
            "/mine",
        ] {
            assert_eq!(get(name).unwrap_err().code, "ParameterNotFound", "{name}");
        }
    }

    #[test]
    fn one_parameter_and_several() {
        let name = "/aws/service/debian/release/12/latest/arm64";
        let one = get(name).unwrap();
        let value = one["Parameter"]["Value"].as_str().unwrap();
        assert!(value.starts_with("ami-"), "{one}");
        let mut region = Region::new("us-east-1", "111122223333");
        let test = TestCall::new("");
        let body = json!({ "Names": [name, "/mine"] });
        let several = get_parameters(&mut region, &test.call(), &body).unwrap();
        assert_eq!(several["Parameters"][0]["Value"], one["Parameter"]["Value"]);
        assert_eq!(several["InvalidParameters"], json!(["/mine"]));
        for body in [json!({}), json!({ "Names": [] }), json!({ "Names": [7] })] {
            let error = get_parameters(&mut region, &test.call(), &body).unwrap_err();
            assert_eq!(error.code, "ValidationException");
        }
        let error = get_parameter(&mut region, &test.call(), &json!({})).unwrap_err();
        assert_eq!(error.code, "ValidationException");
    }
}

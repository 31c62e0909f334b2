//! The actions of EC2, by name, and what repeating each can do.

use polycloud_wire::Class;

/// Every action that is sent, so that its name can stand in spans and metrics.
const ACTIONS: &[&str] = &[
    "AssociateAddress",
    "AttachVolume",
    "AuthorizeSecurityGroupIngress",
    "CreateImage",
    "CreateKeyPair",
    "CreateSecurityGroup",
    "CreateSnapshot",
    "CreateTags",
    "CreateVolume",
    "DeleteKeyPair",
    "DeleteSecurityGroup",
    "DeleteSnapshot",
    "DeleteTags",
    "DeleteVolume",
    "DeregisterImage",
    "DescribeAccountAttributes",
    "DescribeAvailabilityZones",
    "DescribeImages",
    "DescribeInstanceAttribute",
    "DescribeInstanceTypeOfferings",
    "DescribeInstanceTypes",
    "DescribeInstances",
    "DescribeKeyPairs",
    "DescribeNetworkInterfaces",
    "DescribeRegions",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeSubnets",
    "DescribeTags",
    "DescribeVolumes",
    "DescribeVpcs",
    "DetachVolume",
    "GetConsoleOutput",
    "GetParameter",
    "GetParameters",
    "ImportKeyPair",
    "ListServiceQuotas",
    "ModifyInstanceAttribute",
    "ModifyNetworkInterfaceAttribute",
    "RebootInstances",
    "RevokeSecurityGroupIngress",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
];

/// What stands for an action that is not known.
pub(super) const OTHER: &str = "other";

/// The name of the action that a body of the Query protocol asks for.
pub(super) fn name_in(body: &[u8]) -> &'static str {
    let rest = body.strip_prefix(b"Action=").unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b'&').unwrap_or(rest.len());
    let name = rest.get(..end).unwrap_or_default();
    let known = ACTIONS.iter().find(|action| action.as_bytes() == name);
    known.copied().unwrap_or(OTHER)
}

/// What repeating an action can do; `body` is the request's.
pub(super) fn class_of(action: &str, body: &[u8]) -> Class {
    if is_read(action) {
        Class::Read
    } else if is_repeatable(action) || has_client_token(body) {
        Class::Idempotent
    } else {
        Class::Conditional
    }
}

/// Whether an action changes nothing.
pub(super) fn is_read(action: &str) -> bool {
    ["Describe", "Get", "List"].iter().any(|begin| action.starts_with(begin))
}

/// Whether the second of two same requests succeeds, or says that what was to go is gone.
fn is_repeatable(action: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["Delete", "Deregister", "Modify", "Revoke", "Terminate"];
    const NAMES: [&str; 4] = ["CreateTags", "RebootInstances", "StartInstances", "StopInstances"];
    NAMES.contains(&action) || BEGINNINGS.iter().any(|begin| action.starts_with(begin))
}

fn has_client_token(body: &[u8]) -> bool {
    const NAME: &[u8] = b"ClientToken=";
    body.split(|byte| *byte == b'&').any(|parameter| parameter.starts_with(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_in_order_and_found() {
        assert!(ACTIONS.is_sorted());
        for action in ACTIONS {
            assert_eq!(name_in(format!("Action={action}&Version=2016-11-15").as_bytes()), *action);
        }
        for body in ["", "Action=", "Version=1&Action=RunInstances", "Action=RunInstancesX"] {
            assert_eq!(name_in(body.as_bytes()), "other", "{body}");
        }
    }

    #[test]
    fn a_token_makes_a_create_repeatable() {
        let class = |action, body: &str| class_of(action, body.as_bytes());
        assert_eq!(class("DescribeInstances", "Action=DescribeInstances"), Class::Read);
        assert_eq!(class("RunInstances", "Action=RunInstances&ClientToken=x"), Class::Idempotent);
        assert_eq!(
            class("RunInstances", "Action=RunInstances&NoClientToken=x"),
            Class::Conditional
        );
        assert_eq!(class("TerminateInstances", ""), Class::Idempotent);
        assert_eq!(class("DeleteTags", ""), Class::Idempotent);
        for action in ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "ImportKeyPair"] {
            assert_eq!(class(action, ""), Class::Conditional, "{action}");
        }
    }
}

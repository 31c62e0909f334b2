//! What an account may do.

use super::addresses::MAX_ADDRESSES;
use super::call::{Actions, Call};
use super::error::{Ec2Error, Result};
use super::state::Region;
use super::xml::Xml;

pub(crate) const ACTIONS: Actions = &[("DescribeAccountAttributes", describe_account_attributes)];

fn describe_account_attributes(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let wanted = call.params.list("AttributeName");
    let default = region.default_vpc().map_or_else(|| "none".to_owned(), |vpc| vpc.id.clone());
    let all = [
        ("supported-platforms", "VPC".to_owned()),
        ("default-vpc", default),
        ("max-instances", call.settings.quota_instances.to_string()),
        ("max-elastic-ips", MAX_ADDRESSES.to_string()),
        ("vpc-max-elastic-ips", MAX_ADDRESSES.to_string()),
        ("vpc-max-security-groups-per-interface", "5".to_owned()),
    ];
    if let Some(unknown) = wanted.iter().find(|name| !all.iter().any(|(known, _)| known == *name)) {
        return Err(Ec2Error::invalid_value("attributeName", unknown));
    }
    call.dry_run()?;
    let shown = all.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let mut xml = Xml::new();
    xml.list("accountAttributeSet", shown, |xml, (name, value)| {
        xml.text("attributeName", name).list("attributeValueSet", [value], |xml, value| {
            xml.text("attributeValue", value);
        });
    });
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::testing::TestCall;

    #[test]
    fn attributes_by_name() {
        let mut region = Region::new("us-east-1", "111122223333");
        let test = TestCall::new("DescribeAccountAttributes");
        let all = test.run(&mut region).unwrap().to_string();
        assert_eq!(all.matches("<attributeName>").count(), 6);
        let one = test.clone().with("AttributeName.1", "default-vpc");
        let id = region.default_vpc().unwrap().id.clone();
        let value = format!("<attributeValue>{id}</attributeValue>");
        assert!(one.run(&mut region).unwrap().to_string().contains(&value));
        crate::ec2::networks::remove_default(&mut region);
        let none = one.run(&mut region).unwrap().to_string();
        assert!(none.contains("<attributeValue>none</attributeValue>"), "{none}");
        let unknown = test.with("AttributeName.1", "shoe-size").run(&mut region).unwrap_err();
        assert_eq!(unknown.code, "InvalidParameterValue");
    }
}

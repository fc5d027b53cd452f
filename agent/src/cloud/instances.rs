//! Instances of EC2 as data, under the names that people know from boto3 and Ansible: what the API calls
//! `ipAddress` is `public_ip_address`.

use super::{Call, Cloud, Element, service};
use crate::error::Result;
use crate::value::{Key, Map, Value};

/// A page of instances holds so many.
const PAGE: &str = "1000";
/// More pages than any account has.
const MAX_PAGES: usize = 1000;

/// Names that boto3 has for those of the API (`locationName` in the service's model).
const RENAMED: &[(&str, &str)] = &[
    ("instanceState", "state"),
    ("ipAddress", "public_ip_address"),
    ("dnsName", "public_dns_name"),
    ("privateDnsName", "private_dns_name"),
    ("reason", "state_transition_reason"),
    ("blockDeviceMapping", "block_device_mappings"),
    ("groupSet", "security_groups"),
    ("networkInterfaceSet", "network_interfaces"),
    ("privateIpAddressesSet", "private_ip_addresses"),
    ("ipv6AddressesSet", "ipv6_addresses"),
    ("productCodes", "product_codes"),
    ("amiLaunchIndex", "ami_launch_index"),
    ("tagSet", "tags"),
];
/// What an instance is told of the reservation that it came with.
const RESERVED: &[(&str, &str)] = &[
    ("owner_id", "ownerId"),
    ("requester_id", "requesterId"),
    ("reservation_id", "reservationId"),
];
/// Members that are numbers; all other digits are names.
const NUMBERS: &[&str] = &[
    "ami_launch_index",
    "code",
    "core_count",
    "device_index",
    "http_put_response_hop_limit",
    "network_card_index",
    "threads_per_core",
];

/// The instances of a region that pass all filters.
///
/// # Errors
/// When EC2 refuses.
pub fn instances(
    cloud: &Cloud<'_>,
    region: &str,
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Map>> {
    let mut found = Vec::new();
    let mut next = String::new();
    for _ in 0..MAX_PAGES {
        let mut call = Call::query(&service::EC2, "DescribeInstances")
            .in_region(region)
            .param("MaxResults", PAGE);
        for (i, (name, values)) in filters.iter().enumerate() {
            let place = format!("Filter.{}", i + 1);
            call = call
                .param(format!("{place}.Name"), name)
                .list(&format!("{place}.Value"), values);
        }
        if !next.is_empty() {
            call = call.param("NextToken", &next);
        }
        let answer = cloud.ask(&call)?.xml()?;
        for reservation in answer.list("reservationSet") {
            for instance in reservation.list("instancesSet") {
                found.push(described(instance, region, reservation));
            }
        }
        next = answer.text_at("nextToken").to_owned();
        if next.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// The regions that the account has.
///
/// # Errors
/// When EC2 refuses.
pub fn regions(cloud: &Cloud<'_>) -> Result<Vec<String>> {
    let home = cloud.region().unwrap_or_else(|_| "us-east-1".into());
    let call = Call::query(&service::EC2, "DescribeRegions").in_region(home);
    let answer = cloud.ask(&call)?.xml()?;
    let names = answer
        .list("regionInfo")
        .iter()
        .map(|r| r.text_at("regionName").to_owned());
    Ok(names.collect())
}

fn described(instance: &Element, region: &str, reservation: &Element) -> Map {
    let mut map = match value(instance) {
        Value::Map(map) => (*map).clone(),
        _ => Map::new(),
    };
    let mut tags = Map::new();
    for tag in instance.list("tagSet") {
        tags.insert(
            Key::from(tag.text_at("key")),
            Value::from(tag.text_at("value")),
        );
    }
    map.insert(Key::from("tags"), Value::from(tags));
    for (name, place) in RESERVED {
        let text = reservation.text_at(place);
        map.insert(Key::from(*name), Value::from(text));
    }
    if let Some(Value::Map(placement)) = map.get("placement") {
        let mut placement = (**placement).clone();
        placement.insert(Key::from("region"), Value::from(region));
        map.insert(Key::from("placement"), Value::from(placement));
    }
    map
}

fn value(element: &Element) -> Value {
    let children = &element.children;
    if !children.is_empty() && children.iter().all(|c| c.name == "item") {
        return Value::list(children.iter().map(value).collect());
    }
    if children.is_empty() {
        return leaf(element);
    }
    let mut map = Map::new();
    for child in children {
        // The groups of a network interface are called otherwise than those of the instance.
        let name = match (element.child("networkInterfaceId"), child.name.as_str()) {
            (Some(_), "groupSet") => "groups".to_owned(),
            (_, name) => snake(name),
        };
        map.insert(Key::from(name.as_str()), value(child));
    }
    Value::from(map)
}

/// An empty list, or an empty mapping, is written like an empty text.
fn leaf(element: &Element) -> Value {
    let is_list = element.name.ends_with("Set") || element.name == "productCodes";
    match element.text.as_str() {
        "" if is_list => Value::list(Vec::new()),
        "" if element.name.ends_with("Options") || element.name == "association" => {
            Value::from(Map::new())
        }
        // As Python writes a moment.
        text if element.name.ends_with("Time") => {
            Value::from(text.replace(".000Z", "+00:00").as_str())
        }
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text if NUMBERS.contains(&snake(&element.name).as_str()) => {
            text.parse().map_or_else(|_| Value::from(text), Value::Int)
        }
        text => Value::from(text),
    }
}

/// `privateIpAddress` is `private_ip_address`.
fn snake(name: &str) -> String {
    if let Some((_, known)) = RENAMED.iter().find(|(n, _)| *n == name) {
        return (*known).to_owned();
    }
    let bare = name.strip_suffix("Set").unwrap_or(name);
    let mut out = String::new();
    let mut before = '_';
    for c in bare.chars() {
        if c.is_ascii_uppercase() && before != '_' && !before.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_the_names_that_people_know() {
        let xml = "<item><instanceId>i-1</instanceId><imageId>ami-1</imageId>\
            <instanceState><code>16</code><name>running</name></instanceState><dnsName/>\
            <privateIpAddress>10.0.0.5</privateIpAddress><ipAddress>3.3.3.3</ipAddress>\
            <placement><availabilityZone>us-east-1a</availabilityZone></placement><ebsOptimized>false</ebsOptimized>\
            <groupSet><item><groupId>sg-1</groupId><groupName>web</groupName></item></groupSet>\
            <launchTime>2026-11-30T10:16:31.000Z</launchTime><hibernationOptions/>\
            <networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId>\
            <groupSet><item><groupId>sg-1</groupId></item></groupSet></item></networkInterfaceSet>\
            <tagSet><item><key>Name</key><value>web 1</value></item></tagSet><productCodes/></item>";
        let instance = Element::read(xml.as_bytes()).unwrap();
        let reservation = Element::read(
            b"<item><reservationId>r-1</reservationId><ownerId>123456789012</ownerId></item>",
        );
        let told = described(&instance, "us-east-1", &reservation.unwrap());
        let told = Value::from(told).to_json();
        assert_eq!(
            told,
            serde_json::json!({
                "instance_id": "i-1", "image_id": "ami-1", "state": {"code": 16, "name": "running"},
                "public_dns_name": "", "private_ip_address": "10.0.0.5", "public_ip_address": "3.3.3.3",
                "placement": {"availability_zone": "us-east-1a", "region": "us-east-1"}, "ebs_optimized": false,
                "security_groups": [{"group_id": "sg-1", "group_name": "web"}], "tags": {"Name": "web 1"},
                "product_codes": [], "owner_id": "123456789012", "requester_id": "", "reservation_id": "r-1",
                "launch_time": "2026-11-30T10:16:31+00:00", "hibernation_options": {},
                "network_interfaces": [{"network_interface_id": "eni-1", "groups": [{"group_id": "sg-1"}]}],
            })
        );
    }
}

//! Hosts from EC2 by a file as Ansible's users have it.

use super::*;

const INSTANCES: &str = "
ec2 = client('ec2')
image = ec2.describe_images()['Images'][0]['ImageId']
def launch(**tags):
    return ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType='t3.large', TagSpecifications=[
        {'ResourceType': 'instance', 'Tags': [{'Key': k, 'Value': v} for k, v in tags.items()]}])['Instances'][0]['InstanceId']
launch(Name='web 1', role='web', env='prod')
launch(Name='web2', role='web', env='dev')
launch(Name='gpu1', role='gpu', env='prod', note='{{ 1 + 1 }}')
ec2.stop_instances(InstanceIds=[launch(Name='old', role='web', env='prod')])
ec2.terminate_instances(InstanceIds=[launch(Name='gone', role='web', env='prod')])
far = boto3.client('ec2', endpoint_url=ec2.meta.endpoint_url, region_name='eu-west-1', aws_access_key_id='x', aws_secret_access_key='y')
far.run_instances(ImageId=far.describe_images()['Images'][0]['ImageId'], MinCount=1, MaxCount=1)
";

const PLUGIN: &str = "
plugin: amazon.aws.aws_ec2
regions: [us-east-1, eu-west-1]
filters:
  tag:role: [web, gpu]
exclude_filters:
  - tag:Name: [web2]
hostnames:
  - tag:Name
  - instance-id
keyed_groups:
  - key: tags.role
    prefix: role
  - prefix: az
    key: placement.availability_zone
  - key: instance_type
    separator: ''
groups:
  running: state.name == 'running'
  production: tags.env == 'prod'
compose:
  ansible_host: private_ip_address
  owner: tags.env | upper
";

#[test]
fn a_file_for_the_plugin_of_ansible_gives_its_hosts_and_groups() {
    let Some((scene, moto)) = Scene::new("ec2", true) else {
        return;
    };
    let moto = moto.expect("moto");
    put(&moto, INSTANCES);
    let file = scene.path("all.aws_ec2.yml");
    std::fs::write(&file, PLUGIN).expect("written");
    let list = |file: &std::path::Path| {
        let done = scene
            .command("lks-ctl")
            .args(["inventory", "--list", "-i"])
            .arg(file)
            .output()
            .expect("runs");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        (text, String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (text, said) = list(&file);
    let told: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{said}"));
    let hosts = |group: &str| {
        let mut names: Vec<String> = told[group]["hosts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|h| h.as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(hosts("aws_ec2"), ["gpu1", "old", "web 1"], "{text}{said}");
    assert_eq!(hosts("role_web"), ["old", "web 1"]);
    assert_eq!(hosts("role_gpu"), ["gpu1"]);
    assert_eq!(hosts("running"), ["gpu1", "web 1"]);
    assert_eq!(hosts("production"), ["gpu1", "old", "web 1"]);
    assert_eq!(hosts("t3_large"), ["gpu1", "old", "web 1"]);
    assert_eq!(
        hosts("az_us_east_1a").len()
            + hosts("az_us_east_1b").len()
            + hosts("az_us_east_1c").len()
            + hosts("az_us_east_1d").len()
            + hosts("az_us_east_1e").len()
            + hosts("az_us_east_1f").len(),
        3,
        "{text}"
    );
    let gpu = &told["_meta"]["hostvars"]["gpu1"];
    assert_eq!(gpu["ansible_host"], gpu["private_ip_address"]);
    assert_eq!(gpu["owner"], "PROD");
    assert_eq!(gpu["placement"]["region"], "us-east-1");
    assert_eq!(gpu["state"]["name"], "running");
    // What a tag says is never evaluated.
    assert!(
        gpu["tags"]["note"].to_string().contains("{{ 1 + 1 }}"),
        "{gpu}"
    );
    // Without anything said, all instances of all regions that are not gone, by their names in DNS.
    let plain = scene.path("plain.aws_ec2.yaml");
    std::fs::write(&plain, "plugin: aws_ec2\nregions: [us-east-1, eu-west-1]\n").expect("written");
    let (text, _) = list(&plain);
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let all = told["aws_ec2"]["hosts"].as_array().expect("hosts").len();
    assert_eq!(all, 5, "{text}");
    // What is not there is said, with its place.
    let odd = scene.path("odd.aws_ec2.yml");
    std::fs::write(&odd, "plugin: aws_ec2\nregionz: [us-east-1]\n").expect("written");
    assert!(
        list(&odd).1.contains("did you mean `regions`"),
        "{}",
        list(&odd).1
    );
}

//! EC2 gives notice: the agent takes its host out of service, and reports it.

use super::*;

/// A target group with an instance in it, as a load balancer has it.
const WORLD: &str = r#"
ec2, elb = client('ec2'), client('elbv2')
vpc = ec2.create_vpc(CidrBlock='172.32.0.0/23')['Vpc']['VpcId']
subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=c, AvailabilityZone=z)['Subnet']['SubnetId']
           for c, z in (('172.32.1.0/25', 'us-east-1a'), ('172.32.1.128/25', 'us-east-1b'))]
image = ec2.describe_images(Owners=['amazon'])['Images'][0]['ImageId']
instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[0])['Instances'][0]['InstanceId']
group = elb.create_target_group(Name='lks-tg-chat', Protocol='HTTP', Port=11434, VpcId=vpc)['TargetGroups'][0]['TargetGroupArn']
balancer = elb.create_load_balancer(Name='lks-alb', Subnets=subnets)['LoadBalancers'][0]['LoadBalancerArn']
elb.create_listener(LoadBalancerArn=balancer, Protocol='HTTP', Port=80, DefaultActions=[{'Type': 'forward', 'TargetGroupArn': group}])
elb.register_targets(TargetGroupArn=group, Targets=[{'Id': instance}])
open('FILE', 'w').write(instance)
"#;

#[test]
fn an_instance_that_will_be_taken_leaves_its_load_balancer_and_reports_it() {
    let Some((mut scene, Some(moto))) = Scene::new("notice", true) else {
        return;
    };
    let file = scene.path("instance").display().to_string();
    put(&moto, &WORLD.replace("FILE", &file));
    let instance = scene.read("instance");
    // What is installed on the host: the playbook as it ships, and this host's variables.
    let dir = scene.path("etc");
    std::fs::create_dir_all(dir.join("group_vars")).expect("folders");
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/drain.yml");
    std::fs::copy(shipped, dir.join("drain.yml")).expect("the playbook");
    let stopped = scene.path("stopped").display().to_string();
    let variables = format!(
        "drain_target_group: lks-tg-chat\ndrain_target: {instance}\ndrain_port: 11434\n\
         drain_stop: echo '{{{{ lks_notice }}}} {{{{ seconds }}}}' > {stopped}\nansible_become: false\n"
    );
    std::fs::write(dir.join("group_vars/all.yml"), variables).expect("variables");
    scene.serve(&["--allow", RULE]);
    let notice = dir.join("drain.yml").display().to_string();
    let agent = scene.join("one", &["--notice", &notice]);
    assert!(!scene.path("stopped").exists());

    scene.settings["metadata"]["meta-data/events/recommendations/rebalance"] =
        json!("{\"noticeTime\": \"2026-11-30T08:22:00Z\"}");
    scene.save();
    let until = |what: &str, so: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !so() {
            assert!(Instant::now() < end, "{what}: {}", scene.read("one.log"));
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    until("it stops the server", &|| {
        scene.read("stopped") == "rebalance 110\n"
    });
    let runs =
        || -> Vec<Value> { serde_json::from_str(&scene.ctl(&["runs", "--json"])).expect("JSON") };
    until("the controller has the run, and its end", &|| {
        runs().iter().any(|r| r["hosts"][0][1] == 0)
    });
    let run = runs()[0]["run"].as_str().expect("a name").to_owned();
    assert!(run.starts_with(&format!("notice-{ONE}-at-")), "{run}");
    let events = scene.ctl(&["events", &run, "--json"]);
    assert!(events.contains("EC2 gives notice (rebalance)"), "{events}");
    assert!(events.contains("\"target_state\":\"unused\""), "{events}");
    put(
        &moto,
        &format!(
            "elb = client('elbv2')\n\
             group = elb.describe_target_groups(Names=['lks-tg-chat'])['TargetGroups'][0]['TargetGroupArn']\n\
             state = elb.describe_target_health(TargetGroupArn=group, Targets=[{{'Id': '{instance}'}}])\n\
             assert state['TargetHealthDescriptions'][0]['TargetHealth']['State'] == 'unused', state"
        ),
    );

    // Work of the controller still comes through, and the same notice is no news.
    std::fs::write(
        scene.path("site.yml"),
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: echo hi\n",
    )
    .expect("written");
    let site = scene.path("site.yml").display().to_string();
    let out = scene.ctl(&["run", "-c", "agent", &site]);
    assert!(out.contains(ONE), "{out}");
    assert_eq!(runs().len(), 2);
    drop(agent);
}

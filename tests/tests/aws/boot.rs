//! User-data that fetches the agent from S3 or from the controller.

use super::*;

#[test]
fn user_data_fetches_the_agent_from_s3_and_from_the_controller() {
    let Some((mut scene, moto)) = Scene::new("boot", true) else {
        return;
    };
    let moto = moto.expect("moto");
    put(
        &moto,
        "s3 = client('s3')\ns3.create_bucket(Bucket='boot')\n\
         s3.put_object(Bucket='boot', Key='old', Body=b'the agent\\n')\n",
    );
    std::fs::write(scene.path("agent"), "the agent\n").expect("written");
    let agent = scene.path("agent").display().to_string();
    scene.serve(&["--allow", RULE, "--agent", &agent]);
    std::fs::create_dir_all(scene.path("units")).expect("a folder");
    std::fs::create_dir_all(scene.path("tools")).expect("a folder");
    std::fs::write(scene.path("tools/systemctl"), "#!/bin/sh\n").expect("written");
    let script = |scene: &Scene, urls: &[&str]| {
        let mut arguments = vec!["bootstrap", "--agent", &agent];
        for url in urls {
            arguments.extend(["--agent-url", url]);
        }
        let root = scene.dir.display();
        scene
            .ctl(&arguments)
            .replace("/usr/local/bin", &format!("{root}/bin"))
            .replace("/etc/systemd/system", &format!("{root}/units"))
            .replace("etc=/etc/lks", &format!("etc={root}/etc"))
            .replace("state=/var/lib", &format!("state={root}/lib"))
            .replace("[ -w /dev/console ]", "false")
            .replace("sleep 5", "sleep 0")
            .replace(" -le 60 ]", " -le 2 ]")
    };
    let run = |scene: &Scene, text: &str| {
        std::fs::write(scene.path("user-data"), text).expect("written");
        let url = &scene.aws.as_ref().expect("aws").url;
        let path = std::env::var("PATH").unwrap_or_default();
        let done = Command::new("sh")
            .args(["-c", "chmod +x tools/systemctl && exec sh user-data"])
            .current_dir(&scene.dir)
            .env("PATH", format!("{}:{path}", scene.path("tools").display()))
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
            .env("AWS_ENDPOINT_URL_S3", url)
            .output()
            .expect("sh");
        let said = [done.stdout, done.stderr].concat();
        (
            done.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    put(
        &moto,
        "client('s3').put_object(Bucket='boot', Key='v1/lks+agent', Body=b'the agent\\n')\n",
    );
    let user_data = script(
        &scene,
        &["s3://boot/none", "s3://boot/v1/lks+agent?region=us-east-1"],
    );
    let (well, said) = run(&scene, &user_data);
    assert!(well && said.contains("the agent is installed"), "{said}");
    assert_eq!(scene.read("bin/lks-agent"), "the agent\n");
    assert!(scene.read("units/lks-agent.service").contains("--join iam"));
    assert!(
        !scene.path("etc/join-token").exists(),
        "there is no token to leave"
    );
    std::fs::remove_file(scene.path("bin/lks-agent")).expect("removed");
    let (well, said) = run(&scene, &script(&scene, &["controller"]));
    assert!(well && said.contains("fetching controller"), "{said}");
    assert_eq!(scene.read("bin/lks-agent"), "the agent\n");
    // With a key that AWS does not know, S3 gives nothing, and the next address is tried.
    std::fs::remove_file(scene.path("bin/lks-agent")).expect("removed");
    scene.settings["keys"] = json!({});
    scene.save();
    let both = script(&scene, &["s3://boot/v1/lks+agent", "controller"]);
    let (well, said) = run(&scene, &both);
    assert!(
        well && said.contains("nothing came") && said.contains("fetching controller"),
        "{said}"
    );
}

//! Models out of S3, with the credentials of the instance's role. The stand-in judges every signature.

use super::*;

fn play(scene: &Scene, src: &str, dest: &str) -> (bool, String) {
    let file = scene.path("model.yml");
    let text = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - lks.llm.model:\n        src: {src}\n        \
         dest: {}\n        part_mib: 1\n        connections: 4\n      register: m\n    - debug:\n        \
         msg: fetched={{{{ m.fetched | default(0) }}}}\n",
        scene.path(dest).display()
    );
    std::fs::write(&file, text).expect("written");
    let done = scene.call(&["run", &file.display().to_string()]);
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    (done.status.success(), said)
}

const BUCKET: &str = "s3 = client('s3')\n";

#[test]
fn a_model_comes_out_of_a_bucket_in_parts_and_its_version_is_pinned() {
    let Some((scene, Some(moto))) = Scene::new("s3", true) else {
        return;
    };
    put(
        &moto,
        &format!(
            "{BUCKET}s3.create_bucket(Bucket='my-models')\n\
             s3.put_object(Bucket='my-models', Key='llama/a b.bin', Body=bytes(range(256)) * 4096 * 8)\n\
             s3.put_object(Bucket='my-models', Key='llama/config.json', Body=b'{{}}')"
        ),
    );
    let (well, said) = play(&scene, "\"s3://my-models/llama/a b.bin\"", "a.bin");
    assert!(well && said.contains("changed=1"), "{said}");
    let found = std::fs::read(scene.path("a.bin")).expect("the model");
    assert_eq!(found.len(), 8 << 20);
    assert!(
        found
            .chunks(256)
            .all(|c| c.iter().enumerate().all(|(i, b)| i == *b as usize))
    );
    let log = &scene.aws.as_ref().expect("aws").log;
    let asked = std::fs::read_to_string(log).expect("a log");
    assert!(asked.matches("206").count() >= 8, "{asked}");
    // What is kept of it opens nothing.
    for name in [".a.bin.lks-model", "model.yml"] {
        assert!(!scene.read(name).contains("X-Amz"), "{}", scene.read(name));
    }
    let (well, said) = play(&scene, "\"s3://my-models/llama/a b.bin\"", "a.bin");
    assert!(well && said.contains("changed=0"), "{said}");

    // Another version of the same size is another file.
    put(
        &moto,
        &format!(
            "{BUCKET}s3.put_object(Bucket='my-models', Key='llama/a b.bin', Body=b'x' * (8 << 20))"
        ),
    );
    let (well, said) = play(&scene, "\"s3://my-models/llama/a b.bin\"", "a.bin");
    assert!(well && said.contains("changed=1"), "{said}");
    let found = std::fs::read(scene.path("a.bin")).expect("the model");
    assert!(found.iter().all(|b| *b == b'x'));

    // All below a prefix.
    let (well, said) = play(&scene, "s3://my-models/llama/", "all");
    assert!(well, "{said}");
    assert_eq!(scene.read("all/config.json"), "{}");
    assert!(scene.path("all/a b.bin").exists());

    let (well, said) = play(&scene, "s3://my-models/none.bin", "none.bin");
    assert!(
        !well && said.contains("GetObject of s3 was refused"),
        "{said}"
    );
    assert!(!said.contains("X-Amz-Signature"), "{said}");
}

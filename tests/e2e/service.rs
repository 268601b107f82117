//! Life on a server: what systemd is told and what its unit allows, completions and the manual.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::lab::Lab;

#[test]
fn completions_and_the_manual_come_of_the_command_line_itself() {
    let lab = Lab::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = lab.run(&["completions", shell]);
        assert!(script.status.success(), "{shell}");
        let script = String::from_utf8(script.stdout).unwrap();
        for word in ["duplicates", "data-dir"] {
            assert!(script.contains(word), "{shell} {word}");
        }
    }
    let folder = lab.data().join("man1");
    assert!(lab.run(&["man", folder.to_str().unwrap()]).status.success());
    for (page, text) in [
        ("pixdex.1", "finds it by description"),
        ("pixdex-serve.1", "Watch folders"),
        ("pixdex-labels-check.1", "label"),
    ] {
        let page = fs::read_to_string(folder.join(page)).unwrap();
        assert!(page.starts_with(".ie") && page.contains(text), "{page}");
    }
    let nowhere = lab.run(&["man", "/dev/null/man"]);
    assert!(!nowhere.status.success());
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/dev/null/man"));
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_that_the_daemon_is_ready_turns_and_stops() {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    let lab = Lab::new();
    lab.add("a.png", 1);
    let path = lab.photos().with_file_name("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let told = || {
        let mut bytes = [0; 256];
        let len = socket.recv(&mut bytes).expect("nothing was told");
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    };
    let mut serve = lab.command(&["serve", "--listen", "127.0.0.1:0"]);
    serve
        .arg(lab.photos())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .stderr(Stdio::null());
    let mut daemon = serve.spawn().unwrap();
    assert_eq!(told().trim(), "READY=1");
    for _ in 0..3 {
        assert_eq!(told().trim(), "WATCHDOG=1");
    }
    let kill = ["-s", "TERM", &daemon.id().to_string()].map(str::to_owned);
    assert!(Command::new("kill").args(kill).status().unwrap().success());
    let last = (0..1_000)
        .map(|_| told())
        .find(|told| !told.starts_with("WATCHDOG"));
    assert_eq!(last.unwrap().trim(), "STOPPING=1");
    assert!(daemon.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn the_unit_is_sound_and_allows_little() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pixdex.service");
    let text = fs::read_to_string(&unit).unwrap();
    // The program is looked for where it is.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("pixdex.service");
    let ours = text.replace("/usr/bin/pixdex", env!("CARGO_BIN_EXE_pixdex"));
    fs::write(&copy, ours).unwrap();
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        let output = command.args(arguments).arg(&copy).output();
        output.expect("this test needs systemd-analyze: apt-get install systemd")
    };
    let verified = analyze(&["verify"]);
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
    // In tenths.
    let scored = analyze(&["security", "--offline=true", "--threshold=20"]);
    assert!(
        scored.status.success(),
        "{}",
        String::from_utf8_lossy(&scored.stdout)
    );
}

#[test]
fn the_package_for_debian_has_what_its_unit_starts_and_all_of_it_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    let unit = fs::read_to_string(root.join("config/pixdex.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/pixdex "));
    let assets = package["assets"].as_array().unwrap();
    let mut has_program = false;
    for asset in assets {
        let [from, to] = [0, 1].map(|at| asset[at].as_str().unwrap());
        has_program |= from == "target/release/pixdex" && to == "usr/bin/";
        // What the build makes is there once it is built.
        assert!(
            from.starts_with("target/") || root.join(from).exists(),
            "{from}"
        );
    }
    assert!(has_program);
    for script in ["postinst", "prerm"] {
        let script = root
            .join(package["maintainer-scripts"].as_str().unwrap())
            .join(script);
        let checked = Command::new("sh").arg("-n").arg(&script).status().unwrap();
        assert!(checked.success(), "{}", script.display());
    }
}

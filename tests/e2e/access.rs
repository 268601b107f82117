//! Who is let in, for what, and until when: tokens, browsers that log in, proxies, sockets and pages of other sites.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use super::lab::{COLOURS, Daemon, Lab};

/// A daemon that is closed to everybody.
fn closed(lab: &Lab) -> Daemon {
    let mut serving = lab.serving(&lab.photos());
    serving.env("PIXDEX_HTTP__LOOPBACK_NEEDS_TOKEN", "true");
    Daemon::start_closed(serving)
}

fn token(lab: &Lab, name: &str, scope: &str) -> String {
    let given = lab.json(&["token", "add", name, "--scope", scope]);
    given["token"].as_str().unwrap().to_owned()
}

fn with(daemon: &Daemon, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    daemon.send(method, path, &[("authorization", &bearer)], body)
}

#[test]
fn a_token_is_good_for_its_scope_until_it_is_taken_back() {
    let lab = Lab::new();
    lab.add("a.png", 1);
    let daemon = closed(&lab);
    for path in [
        "/api/v1/tags",
        "/api/v1/images",
        "/api/v1/status",
        "/metrics",
        "/api/v1/events",
    ] {
        let response = daemon.respond("GET", path, &[], "");
        assert_eq!(response.status().as_u16(), 401, "{path}");
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer realm=\"pixdex\""
        );
        assert_eq!(daemon.get(path).1["code"], "unauthorized", "{path}");
    }
    // Its own commands are let in by what only its owner reads.
    let [read, label, admin] = ["read", "label", "admin"].map(|scope| token(&lab, scope, scope));
    assert!(read.starts_with("pixdex_"));
    let purge = "{\"older_than_days\": 1}";
    for (method, path, body, least) in [
        ("GET", "/api/v1/tags", "", 0),
        ("POST", "/api/v1/search", "{\"q\": \"red\"}", 0),
        ("POST", "/api/v1/label-sets/set/preview", COLOURS, 0),
        ("PUT", "/api/v1/label-sets/set", COLOURS, 1),
        ("POST", "/api/v1/decisions/import", "", 1),
        ("DELETE", "/api/v1/label-sets/set", "", 1),
        ("POST", "/api/v1/purge", purge, 2),
        ("POST", "/api/v1/rescan", "", 2),
        ("GET", "/api/v1/tokens", "", 2),
    ] {
        for (scope, token) in [&read, &label, &admin].into_iter().enumerate() {
            let (status, answer) = with(&daemon, token, method, path, body);
            // What was deleted once is not there the second time.
            let expected = if scope < least {
                (403, "beyond_scope")
            } else if method == "DELETE" && scope > least {
                (404, "unknown_label_set")
            } else {
                (200, "")
            };
            let code = answer["code"].as_str().unwrap_or_default();
            assert_eq!((status, code), expected, "{method} {path} with {scope}");
        }
    }
    assert_eq!(
        with(&daemon, &read, "GET", "/api/v1/whoami", "").1["scope"],
        "read"
    );
    let listed = lab.json(&["token", "list"]);
    let names: Vec<_> = listed["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| &token["name"])
        .collect();
    assert_eq!(names, ["admin", "label", "read"]);
    assert!(!listed.to_string().contains(&read));
    daemon.wait_until(|_| lab.json(&["token", "list"])["tokens"][2]["last_used_at"].is_string());
    // A stream that it opened ends with it.
    let mut stream = TcpStream::connect(&daemon.address).unwrap();
    write!(
        stream,
        "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {read}\r\n\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.next().unwrap().unwrap().contains("200"));
    lab.json(&["token", "remove", "read"]);
    assert_eq!(lines.map_while(Result::ok).last().as_deref(), Some(""));
    assert_eq!(with(&daemon, &read, "GET", "/api/v1/tags", "").0, 401);
    assert_eq!(with(&daemon, &label, "GET", "/api/v1/tags", "").0, 200);
    let again = lab.run(&["token", "remove", "read"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is no token `read`"));
    let twice = lab.run(&["token", "add", "label"]);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("there is a token `label` already"));
}

#[test]
fn tokens_are_given_out_while_no_daemon_runs_and_outlive_it() {
    let lab = Lab::new();
    let given = token(&lab, "first", "read");
    let daemon = closed(&lab);
    assert_eq!(with(&daemon, &given, "GET", "/api/v1/tags", "").0, 200);
}

#[test]
fn who_guesses_waits() {
    let lab = Lab::new();
    let right = token(&lab, "mine", "read");
    let daemon = closed(&lab);
    for guess in 0..5 {
        let status = with(
            &daemon,
            &format!("pixdex_{guess}"),
            "GET",
            "/api/v1/tags",
            "",
        )
        .0;
        assert_eq!(status, 401, "{guess}");
    }
    with(&daemon, "pixdex_6", "GET", "/api/v1/tags", "");
    let bearer = format!("Bearer {right}");
    let response = daemon.respond("GET", "/api/v1/tags", &[("authorization", &bearer)], "");
    assert_eq!(response.status().as_u16(), 429);
    let wait_s: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=3).contains(&wait_s), "{wait_s}");
    // What waits is told as such; what needs no token goes on; then all is well again.
    assert_eq!(daemon.get("/health/ready").0, 200);
    daemon.wait_until(|daemon| with(daemon, &right, "GET", "/api/v1/tags", "").0 == 200);
}

#[test]
fn a_browser_logs_in_and_out() {
    let lab = Lab::new();
    let given = token(&lab, "browser", "label");
    let daemon = closed(&lab);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(daemon.bytes("GET", "/", &[], "").0, 200);
    assert_eq!(daemon.bytes("GET", "/login", &[], "").0, 200);
    let (status, page) = daemon.bytes("POST", "/login", &form, "token=pixdex_wrong");
    assert_eq!(status, 401);
    assert!(
        String::from_utf8(page)
            .unwrap()
            .contains("this token is not known")
    );
    let log_in = || {
        let mut stream = TcpStream::connect(&daemon.address).unwrap();
        let body = format!("token={given}");
        let length = body.len();
        write!(
            stream,
            "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.collect::<Vec<_>>()
    };
    let answer = log_in();
    assert!(answer[0].contains("303"), "{answer:?}");
    let cookie = answer
        .iter()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert!(!cookie.contains(&given));
    let tags = |cookie: &str| {
        daemon
            .send("GET", "/api/v1/tags", &[("cookie", cookie)], "")
            .0
    };
    assert_eq!(
        (
            tags(&cookie),
            tags("pixdex_session=pixdex_none"),
            tags("a=b")
        ),
        (200, 401, 401)
    );
    let other = log_in();
    let other = other
        .iter()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap();
    let other = other.split(';').next().unwrap();
    let out = |cookie| {
        let config = ureq::Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        let agent = ureq::Agent::new_with_config(config);
        let post = agent
            .post(format!("http://{}/logout", daemon.address))
            .header("cookie", cookie);
        post.send_empty().unwrap()
    };
    let logged_out = out(&cookie);
    assert_eq!(logged_out.status().as_u16(), 303);
    assert!(
        logged_out.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!((tags(&cookie), tags(other)), (401, 200));
    lab.json(&["token", "remove", "browser"]);
    assert_eq!(tags(other), 401);
    // A page elsewhere cannot log anybody in.
    let elsewhere = [form[0], ("origin", "https://evil.example")];
    assert_eq!(daemon.send("POST", "/login", &elsewhere, "token=x").0, 403);
}

#[test]
fn behind_a_proxy_that_is_named_clients_are_who_it_says_they_are() {
    let lab = Lab::new();
    let given = token(&lab, "phone", "read");
    let mut serving = lab.serving(&lab.photos());
    serving.env("PIXDEX_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]");
    serving.env("PIXDEX_HTTP__HOSTS", "[\"photos.example\"]");
    let daemon = Daemon::start_closed(serving);
    let status = |said: &[(&str, &str)]| daemon.send("GET", "/api/v1/tags", said, "").0;
    let client = ("x-forwarded-for", "203.0.113.9");
    assert_eq!(status(&[client]), 401);
    assert_eq!(status(&[]), 401, "a proxy that says nothing");
    assert_eq!(
        status(&[("x-forwarded-for", "127.0.0.1, 203.0.113.9")]),
        401
    );
    assert_eq!(status(&[("x-forwarded-for", "127.0.0.1")]), 200);
    let bearer = format!("Bearer {given}");
    let through = [
        client,
        ("authorization", &bearer),
        ("x-forwarded-host", "photos.example"),
    ];
    assert_eq!(status(&through), 200);
    let [_, _, other] = [client, client, ("x-forwarded-host", "evil.example")];
    assert_eq!(status(&[client, ("authorization", &bearer), other]), 403);
    // The page's own origin is that of the browser.
    let mut from = through.to_vec();
    from.push(("origin", "https://photos.example"));
    assert_eq!(status(&from), 200);
    // Its commands ask it all the same, and are no proxy.
    assert_eq!(lab.json(&["token", "list"])["tokens"][0]["name"], "phone");
    assert_eq!(status(&[client, ("forwarded", "for=127.0.0.1")]), 403);
    drop(daemon);
    // A proxy that nobody named stands on the same machine, and lets the world in.
    let open = Daemon::start(lab.serving(&lab.photos()));
    for said in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        assert_eq!(
            open.send("GET", "/api/v1/tags", &[(said, "127.0.0.1")], "")
                .0,
            401,
            "{said}"
        );
    }
    assert_eq!(open.get("/api/v1/tags").0, 200);
}

#[test]
fn other_machines_ask_with_a_token_or_where_anybody_may() {
    let lab = Lab::new();
    let remote = |more: &[&str]| {
        let mut command = lab.command(&["serve", "--listen", "0.0.0.0:0"]);
        command.args(more).arg(lab.photos());
        command
    };
    let refused = remote(&[]).output().unwrap();
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && words.contains("pixdex token add NAME"),
        "{words}"
    );
    drop(Daemon::start_closed(remote(&["--allow-anonymous"])));
    let given = token(&lab, "laptop", "label");
    let daemon = Daemon::start_closed(remote(&[]));
    lab.write_labels("colours", COLOURS);
    // From elsewhere the same commands are typed, with an address.
    let port = daemon.address.rsplit(':').next().unwrap();
    let server = format!("http://127.0.0.1:{port}/");
    let elsewhere = Lab::new();
    let ask = |token: &str, arguments: &[&str]| {
        let mut command =
            elsewhere.command(&[arguments, &["--server", &server, "--json"]].concat());
        command.env("PIXDEX_TOKEN", token).output().unwrap()
    };
    assert!(ask(&given, &["tags"]).status.success());
    let wrong = ask("pixdex_wrong", &["tags"]);
    let words = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(words.contains("this token is not known"), "{words}");
    let purge = ask(&given, &["purge"]);
    let words = String::from_utf8_lossy(&purge.stderr).into_owned();
    assert!(words.contains("scope `admin`"), "{words}");
    let index = ask(&given, &["index", "."]);
    assert!(String::from_utf8_lossy(&index.stderr).contains("leave out --server"));
    assert!(!elsewhere.data().exists());
}

#[cfg(unix)]
#[test]
fn a_socket_is_listened_on_too_and_goes_with_the_daemon() {
    let lab = Lab::new();
    let path = lab.labels().join("http.sock");
    let serve = || {
        let mut serving = lab.serving(&lab.photos());
        serving.env("PIXDEX_HTTP__SOCKET", &path);
        Daemon::start(serving)
    };
    let mut daemon = serve();
    let ask = |more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--unix-socket",
        ]);
        curl.arg(&path)
            .args(more)
            .arg("http://localhost/api/v1/tags");
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    assert_eq!(ask(&[]), "200");
    assert_eq!(ask(&["-H", "x-forwarded-for: 127.0.0.1"]), "401");
    daemon.signal("-KILL");
    daemon.wait();
    // What a killed one leaves behind is in nobody's way.
    assert!(path.exists());
    let mut daemon = serve();
    assert_eq!(ask(&[]), "200");
    daemon.signal("-TERM");
    daemon.wait();
    assert!(!path.exists());
}

#[test]
fn pages_of_sites_that_are_named_may_ask_and_those_of_others_may_not() {
    let lab = Lab::new();
    let mut serving = lab.serving(&lab.photos());
    serving.env("PIXDEX_HTTP__ORIGINS", "[\"https://home.example:8123\"]");
    let daemon = Daemon::start(serving);
    let ask = |method, origin, site| {
        let said = [
            ("origin", origin),
            ("sec-fetch-site", site),
            ("sec-fetch-mode", "cors"),
        ];
        daemon.respond(method, "/api/v1/tags", &said, "")
    };
    let named = "https://home.example:8123";
    let asked = ask("OPTIONS", named, "cross-site");
    assert_eq!(asked.status().as_u16(), 204);
    let allowed = asked.headers()["access-control-allow-headers"]
        .to_str()
        .unwrap();
    assert!(allowed.contains("authorization"), "{allowed}");
    let got = ask("GET", named, "cross-site");
    assert_eq!(got.status().as_u16(), 200);
    assert_eq!(got.headers()["access-control-allow-origin"], named);
    assert!(
        !got.headers()
            .contains_key("access-control-allow-credentials")
    );
    for other in ["https://evil.example", "http://home.example:8123", "null"] {
        let refused = ask("GET", other, "cross-site");
        assert_eq!(refused.status().as_u16(), 403, "{other}");
        assert!(
            !refused
                .headers()
                .contains_key("access-control-allow-origin")
        );
    }
}

//! Queries of many parts: weights, pictures, filters, counts, pages and duplicates, over HTTP and on the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pixdex::demo::Picture;
use serde_json::{Value, json};

use crate::lab::{COLOURS, Daemon, Lab, demo_library};

/// The demo's pictures, served, with what each file shows.
struct World {
    lab: Lab,
    daemon: Daemon,
    truth: BTreeMap<String, Picture>,
}

fn world() -> World {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    let pictures = demo_library(&lab.photos());
    let daemon = lab.serve();
    daemon.wait_for_images(145);
    let path = |picture: &Picture| lab.photos().join(&picture.path).display().to_string();
    let truth = pictures
        .into_iter()
        .map(|picture| (path(&picture), picture));
    World {
        truth: truth.collect(),
        lab,
        daemon,
    }
}

impl World {
    fn search(&self, query: &str, more: &str) -> Value {
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let (status, answer) = self.daemon.get(&format!("/api/v1/search?q={query}{more}"));
        assert_eq!(status, 200, "{query}: {answer}");
        answer
    }

    fn post(&self, body: &Value) -> (u16, Value) {
        self.daemon
            .send("POST", "/api/v1/search", &[], &body.to_string())
    }

    fn shown(&self, answer: &Value) -> Vec<&Picture> {
        let items = answer["items"].as_array().unwrap().iter();
        items
            .map(|item| &self.truth[item["path"].as_str().unwrap()])
            .collect()
    }

    /// Files that show what is asked for and are no copies of others.
    fn count(&self, is: impl Fn(&Picture) -> bool) -> usize {
        let is_copy = |path: &str| path.contains("backup") || path.contains("copy");
        let files = self.truth.iter();
        files
            .filter(|(path, picture)| !is_copy(path) && is(picture))
            .count()
    }
}

fn ids(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn parts_of_a_query_add_up_and_take_away() {
    let world = world();
    let stars = world.search("a star -red strictness:0", "&limit=3");
    let shown = world.shown(&stars);
    assert!(
        shown
            .iter()
            .all(|picture| picture.thing == "star" && picture.colour != "red"),
        "{shown:?}"
    );
    assert!(
        world
            .shown(&world.search("a star strictness:0", "&limit=5"))
            .iter()
            .any(|picture| picture.colour == "red")
    );
    let cut = world.search("a star -red", "&limit=1000");
    assert!((3..=6).contains(&ids(&cut).len()), "{}", ids(&cut).len());
    let unwanted = world.search("-red", "&limit=1000");
    assert_eq!(ids(&unwanted).len(), 145, "no end in sight");
    // A picture and a text: like this house, but at night.
    let house = world.search("a house in the sky", "&limit=1");
    let id = &ids(&house)[0];
    let night = world.search(&format!("image:{id} +2:\"a house at night\""), "&limit=3");
    assert!(!ids(&night).contains(id), "a picture is not like itself");
    let like_it = ids(&world.search(&format!("image:{id}"), "&limit=1000"));
    assert_eq!(like_it.len(), 144);
    assert!(!like_it.contains(id), "a picture is not like itself");
    assert!(
        world
            .shown(&night)
            .iter()
            .all(|picture| picture.thing == "house")
    );
    // The same in the full form, the picture as bytes: it is not known to be of the library, and is the first hit.
    let (_, bytes) = world
        .daemon
        .bytes("GET", &format!("/api/v1/images/{id}/file"), &[], "");
    let upload = BASE64_STANDARD.encode(bytes);
    let (status, like) = world.post(&json!({ "terms": [{ "upload": upload }], "limit": 3 }));
    assert_eq!((status, &ids(&like)[0]), (200, id));
    assert!(like["items"][0]["score"].as_f64().unwrap() > 0.999);
    let terms = json!([{ "text": "a star" }, { "text": "red", "weight": -0.5 }]);
    let (_, form) = world.post(&json!({ "terms": terms, "strictness": 0, "limit": 3 }));
    assert_eq!(ids(&form), ids(&stars));
    // On the command line, where a daemon answers and where none does.
    let file = world.lab.photo("2019/IMG_101.jpg");
    let arguments = ["search", "--image", file.to_str().unwrap(), "--limit", "4"];
    let asked = world.lab.json(&arguments);
    let World { lab, daemon, .. } = world;
    drop(daemon);
    assert_eq!(lab.json(&arguments)["items"], asked["items"]);
}

#[test]
fn filters_of_every_kind_narrow_it_down() {
    let world = world();
    let all = |query: &str| {
        ids(&world.search(query, "&limit=1000"))
            .into_iter()
            .collect::<BTreeSet<_>>()
    };
    let count = |query: &str| all(query).len();
    let (red, blue) = (all("tag:red"), all("tag:colours/blue"));
    assert!(!red.is_empty() && !blue.is_empty());
    assert_eq!(all("tag:red,blue"), &red | &blue);
    assert_eq!(count("tag:red tag:blue"), 0);
    assert_eq!(count("-tag:red"), 145 - red.len());
    assert_eq!(
        count("format:gif"),
        world.count(|picture| picture.path.extension().unwrap() == "gif")
    );
    assert_eq!(
        count("format:jpg,gif -tag:red"),
        (&all("format:gif,jpeg") - &red).len()
    );
    assert_eq!(
        count("path:2021"),
        world.count(|picture| picture.path.starts_with("2021"))
    );
    assert_eq!(
        count("path:2021 path:2019/*.png"),
        world.count(|picture| {
            picture.path.starts_with("2021")
                || (picture.path.starts_with("2019") && picture.path.extension().unwrap() == "png")
        })
    );
    let items = world.search("", "&path=2021&limit=1000")["items"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(items.len(), count("path:2021"));
    let images = world.daemon.images();
    let with = |is: &dyn Fn(&Value) -> bool| images.iter().filter(|image| is(image)).count();
    let number = |image: &Value, key: &str| image[key].as_f64();
    assert_eq!(
        count("width:800.."),
        with(&|image| number(image, "width") >= Some(800.0))
    );
    assert_eq!(
        count("height:..600 width:600"),
        with(&|image| number(image, "height") <= Some(600.0) && image["width"] == 600)
    );
    assert_eq!(
        count("size:..50kb"),
        with(&|image| number(image, "size_bytes") <= Some(50_000.0))
    );
    assert_eq!(
        count("camera:kestrel"),
        with(&|image| image["camera"]
            .as_str()
            .is_some_and(|camera| camera.contains("Kestrel")))
    );
    assert_eq!(
        count("after:2021 before:2022-03"),
        with(&|image| {
            image["taken_at"]
                .as_str()
                .is_some_and(|taken| ("2021".."2022-03").contains(&taken))
        })
    );
    let oslo = with(&|image| number(image, "latitude").is_some_and(|degrees| degrees > 59.0));
    assert!(oslo > 0);
    assert_eq!(count("area:59.5,10.5,60.2,11"), oslo);
    // Across the date line: from Japan eastward to Lisbon.
    let placed = with(&|image| !image["latitude"].is_null());
    assert_eq!(
        count("area:-90,130,90,-9"),
        with(&|image| number(image, "longitude")
            .is_some_and(|degrees| !(-9.0..130.0).contains(&degrees)))
    );
    assert_eq!(count("area:-90,-180,90,180"), placed);
    // Together with words, the ranking is of those only.
    let answer = world.search("a star tag:red path:2019 strictness:0", "&limit=1000");
    let found: BTreeSet<String> = ids(&answer).into_iter().collect();
    assert_eq!(found, all("tag:red path:2019"));
    assert_eq!(
        (answer["exact"].clone(), world.shown(&answer)[0].thing),
        (json!(true), "star")
    );
    let form = json!({ "filter": { "tags": { "any": ["red", "blue"], "none": ["blue"] }, "paths": ["2019"],
        "width": { "from": 1 }, "area": [-90, -180, 90, 180] }, "limit": 1000 });
    let (_, by_form) = world.post(&form);
    assert_eq!(
        ids(&by_form).into_iter().collect::<BTreeSet<_>>(),
        all("tag:red path:2019 area:-90,-180,90,180")
    );
}

#[test]
fn a_file_name_finds_its_file_first() {
    let world = world();
    for name in ["IMG_104.jpg", "img_104", "  Img_104.JPG "] {
        let answer = world.search(&format!("{name} strictness:0"), "&limit=1000");
        let first = &answer["items"][0];
        assert!(
            first["path"].as_str().unwrap().ends_with("/IMG_104.jpg"),
            "{name}: {first}"
        );
        assert_eq!(first["is_named"], true);
        let ids = ids(&answer);
        let once: BTreeSet<&String> = ids.iter().collect();
        assert_eq!((ids.len(), once.len()), (145, 145), "{name}");
    }
    assert!(world.search("a star", "")["items"][0]["is_named"].is_null());
    assert_eq!(
        world.search("IMG_104 path:2024", "")["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|item| item["is_named"] == true)
            .count(),
        0
    );
}

#[test]
fn counts_are_of_all_hits_and_not_of_the_page() {
    let world = world();
    // One that lies twice in its folder, and counts once there.
    let again = world.lab.photo("2019/IMG_101_again.jpg");
    std::fs::copy(world.lab.photo("2019/IMG_101.jpg"), &again).unwrap();
    world.daemon.wait_until(|daemon| {
        let images = daemon.images();
        let mut paths = images
            .iter()
            .flat_map(|image| image["paths"].as_array().unwrap());
        paths.any(|path| *path == *again.to_str().unwrap())
    });
    let whole = world.search("a star strictness:0", "&limit=1000");
    let page = world.search("a star strictness:0", "&limit=2&facets=true");
    assert_eq!((ids(&page).len(), &page["total"]), (2, &json!(145)));
    assert_eq!(ids(&page), ids(&whole)[..2]);
    let red = page["facets"]["tags"]
        .as_array()
        .unwrap()
        .iter()
        .find(|tag| tag["label"] == "red")
        .unwrap();
    let (_, tags) = world.daemon.get("/api/v1/tags");
    assert_eq!(
        &red["count"],
        &tags["tags"]
            .as_array()
            .unwrap()
            .iter()
            .find(|tag| tag["label"] == "red")
            .unwrap()["count"]
    );
    let years = page["facets"]["years"].as_array().unwrap();
    let dated = world
        .daemon
        .images()
        .iter()
        .filter(|image| !image["taken_at"].is_null())
        .count() as u64;
    assert_eq!(
        years
            .iter()
            .map(|year| year["count"].as_u64().unwrap())
            .sum::<u64>(),
        dated
    );
    let folders = page["facets"]["folders"].as_array().unwrap();
    let of = |folder: &str| {
        folders
            .iter()
            .find(|count| count["value"].as_str().unwrap().ends_with(folder))
            .unwrap()["count"]
            .clone()
    };
    assert_eq!(
        (of("2024/backup"), of("photos/2019")),
        (
            json!(3),
            json!(world.count(|picture| picture.path.starts_with("2019")))
        )
    );
    // With a cut-off, and with filters only.
    let cut = world.search("a star", "&limit=1&facets=true");
    assert_eq!(
        cut["total"].as_u64().unwrap() as usize,
        ids(&world.search("a star", "&limit=1000")).len()
    );
    let nothing = world.search("a zebra crossing", "&facets=true");
    assert_eq!(nothing["fits"], false);
    assert_eq!(
        nothing["total"].as_u64().unwrap() as usize,
        ids(&nothing).len()
    );
    // On a later page they are the same, and its ranking ends where the first page said that it would.
    for query in ["a star strictness:0", "a star", "a zebra crossing"] {
        let first = world.search(query, "&limit=2&facets=true");
        let cursor = first["cursor"].as_str().unwrap();
        let later = world.search(query, &format!("&limit=1000&facets=true&cursor={cursor}"));
        assert_eq!(
            (&later["total"], &later["facets"]),
            (&first["total"], &first["facets"]),
            "{query}"
        );
        let both = [ids(&first), ids(&later)].concat();
        assert_eq!(both, ids(&world.search(query, "&limit=1000")), "{query}");
    }
    let filtered = world.search("tag:red", "&limit=1&facets=true");
    assert_eq!(filtered["total"], red["count"]);
}

#[test]
fn a_page_can_begin_far_down() {
    let world = world();
    let named = world.truth.keys().next().unwrap();
    let named = Path::new(named).file_stem().unwrap().to_str().unwrap();
    let named = format!("{named} strictness:0");
    // A ranking without an end, one with an end, one that begins with a picture that is called so, and lists.
    for (query, more) in [
        ("a red star strictness:0", ""),
        ("a star", ""),
        (&named, ""),
        ("path:20*", ""),
        ("path:20*", "&order=name"),
        ("tag:red", "&order=-size"),
    ] {
        let whole = ids(&world.search(query, &format!("&limit=1000{more}")));
        assert!(whole.len() > 4, "{query}: {}", whole.len());
        for offset in [0, 1, 2, whole.len() - 2, whole.len(), 100_000] {
            let below = world.search(
                query,
                &format!("&limit=1000&offset={offset}&total=true{more}"),
            );
            let rest = &whole[offset.min(whole.len())..];
            assert_eq!(ids(&below), rest, "{query} {more} {offset}");
            assert_eq!(below["total"], whole.len(), "{query} {more} {offset}");
        }
        // And goes on from there.
        let page = world.search(query, &format!("&limit=2&offset=1{more}"));
        let cursor = page["cursor"].as_str().unwrap();
        let rest = world.search(query, &format!("&limit=1000&cursor={cursor}{more}"));
        assert_eq!(
            [ids(&page), ids(&rest)].concat(),
            whole[1..],
            "{query} {more}"
        );
    }
}

#[test]
fn pages_hold_while_pictures_come_and_go() {
    let world = world();
    for query in [
        "something red -star strictness:0",
        "path:20* -tag:red",
        "a photo strictness:0",
    ] {
        let whole = ids(&world.search(query, "&limit=1000"));
        assert!(whole.len() > 60, "{query}: {}", whole.len());
        let mut page = world.search(query, "&limit=20");
        let mut seen = ids(&page);
        // Gone: one picture that was seen, and one that was not. New: many, so that the yardstick is taken again.
        let path_of = |id: &str| {
            world.daemon.get(&format!("/api/v1/images/{id}")).1["path"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let away: Vec<String> = [&whole[3], &whole[30]].map(|id| path_of(id)).into();
        let kept: Vec<Vec<u8>> = away
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .collect();
        for path in &away {
            std::fs::remove_file(path).unwrap();
        }
        let new: Vec<_> = (0..30)
            .map(|seed| world.lab.add(&format!("new/{seed}.png"), seed))
            .collect();
        world.daemon.wait_for_images(145 - 2 + 30);
        while let Some(cursor) = page["cursor"].as_str() {
            page = world.search(query, &format!("&limit=20&cursor={cursor}"));
            seen.extend(ids(&page));
            assert!(seen.len() <= 145 + 30, "{query}: nothing twice");
        }
        assert_eq!(
            seen.iter().collect::<BTreeSet<_>>().len(),
            seen.len(),
            "{query}: nothing twice"
        );
        let expected: Vec<&String> = whole.iter().filter(|id| **id != whole[30]).collect();
        let known: Vec<&String> = seen.iter().filter(|id| whole.contains(id)).collect();
        assert_eq!(
            known, expected,
            "{query}: what stayed is seen in the same order"
        );
        for (path, bytes) in away.iter().zip(kept) {
            std::fs::write(path, bytes).unwrap();
        }
        for path in &new {
            std::fs::remove_file(path).unwrap();
        }
        world.daemon.wait_for_images(145);
    }
}

#[test]
fn mistakes_in_queries_are_pointed_at() {
    let world = world();
    let query = "red colour:blue";
    let (status, body) = world.daemon.get("/api/v1/search?q=red+colour:blue");
    assert_eq!((status, &body["code"]), (400, &json!("bad_query")));
    let message = body["error"].as_str().unwrap();
    assert!(message.contains("at character 5: `colour:`"), "{message}");
    let output = world.lab.run(&["search", query]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("at character 5"));
    let code = |body: Value| {
        let (status, answer) = world.post(&body);
        (
            status,
            answer["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let bad = |code: &str| (400, code.to_owned());
    let text = BASE64_STANDARD.encode("no picture");
    assert_eq!(
        code(json!({ "terms": [{ "upload": text }] })),
        bad("bad_picture")
    );
    let jpeg = crate::lab::jpeg(1);
    let half = BASE64_STANDARD.encode(&jpeg[..jpeg.len() / 2]);
    let (_, reason) = world.post(&json!({ "terms": [{ "upload": half }] }));
    assert!(
        reason["error"].as_str().unwrap().contains("truncated"),
        "{reason}"
    );
    assert_eq!(
        code(json!({ "terms": [{ "upload": "%" }] })),
        bad("bad_query")
    );
    assert_eq!(code(json!({ "terms": [{}] })), bad("bad_query"));
    assert_eq!(
        code(json!({ "terms": [{ "text": "a", "weight": 0 }] })),
        bad("bad_query")
    );
    assert_eq!(
        code(json!({ "terms": [{ "text": " " }] })),
        bad("empty_query")
    );
    assert_eq!(code(json!({ "wat": 1 })), bad("bad_query"));
    assert_eq!(
        code(json!({ "q": "a", "strictness": -1 })),
        bad("bad_strictness")
    );
    assert_eq!(
        code(json!({ "q": "a", "filter": { "area": [1, 0, 0, 0] } })),
        bad("bad_filter")
    );
    let same = json!({ "terms": [{ "text": "a" }, { "text": "a", "weight": -1 }] });
    assert_eq!(code(same), bad("bad_query"));
    // A cursor belongs to its query and its model.
    let page = world.search("something red strictness:0", "&limit=1");
    let cursor = page["cursor"].as_str().unwrap();
    let (status, body) = world
        .daemon
        .get(&format!("/api/v1/search?q=a+star&cursor={cursor}"));
    assert_eq!((status, &body["code"]), (400, &json!("bad_cursor")));
    let other = format!("000000000000{}", &cursor[12..]);
    let (status, body) = world.daemon.get(&format!(
        "/api/v1/search?q=something+red+strictness:0&cursor={other}"
    ));
    assert_eq!(
        (status, &body["code"]),
        (409, &json!("cursor_of_another_model"))
    );
}

#[test]
fn duplicates_are_found_by_bytes_and_by_looks() {
    let world = world();
    // The same picture again, smaller.
    let original = world.lab.photo("2019/IMG_101.jpg");
    let picture = image::open(&original).unwrap();
    let small = picture.resize(
        picture.width() * 3 / 4,
        picture.height() * 3 / 4,
        image::imageops::FilterType::CatmullRom,
    );
    small.save(world.lab.photo("small.png")).unwrap();
    world.daemon.wait_for_images(146);
    let (_, same) = world.daemon.get("/api/v1/duplicates?by=hash");
    assert_eq!(
        (
            same["total"].as_u64(),
            same["groups"].as_array().unwrap().len()
        ),
        (Some(4), 4)
    );
    assert!(
        same["groups"]
            .as_array()
            .unwrap()
            .iter()
            .all(|group| group["images"][0]["paths"].as_array().unwrap().len() == 2)
    );
    let (_, alike) = world.daemon.get("/api/v1/duplicates?similarity=0.99");
    let groups = alike["groups"].as_array().unwrap();
    let of_original = groups.iter().find(|group| {
        group["images"]
            .as_array()
            .unwrap()
            .iter()
            .any(|image| image["path"] == original.to_str().unwrap())
    });
    let images = of_original.expect("the copy is found")["images"]
        .as_array()
        .unwrap();
    assert_eq!(images.len(), 2, "{images:?}");
    assert!(
        images[1]["path"].as_str().unwrap().ends_with("small.png"),
        "the largest comes first"
    );
    let (_, elsewhere) = world
        .daemon
        .get("/api/v1/duplicates?similarity=0.99&path=2024");
    assert!(elsewhere["total"].as_u64() < alike["total"].as_u64());
    let command = ["duplicates", "--similarity", "0.99", "path:2024"];
    assert_eq!(world.lab.json(&command), elsewhere);
    let World { lab, daemon, .. } = world;
    drop(daemon);
    assert_eq!(lab.json(&command), elsewhere);
}

//! Every value from every part, what each part may do wrong, and which part is believed.

use super::iptc::tests::{data_set, resource};
use super::*;
use crate::decode::ifd::Tiff;
use crate::decode::ifd::tests::{Written, ascii, bytes, long, rationals, short, tiff};

const EXIF_IFD: u16 = 0x8769;
const GPS_IFD: u16 = 0x8825;
const DATE: u16 = 0x9003;

fn of_blocks(blocks: &[&[u8]]) -> Said {
    let parts = Parts {
        exif: blocks.iter().map(|block| (*block).into()).collect(),
        ..Parts::default()
    };
    read(&parts, None)
}

/// Of a block with these fields in its directories.
fn of_exif(main: &[Written], exif: &[Written], gps: &[Written]) -> Said {
    of_blocks(&[&tiff(main, &[(EXIF_IFD, exif), (GPS_IFD, gps)])])
}

fn packet(attributes: &str) -> Vec<u8> {
    format!(
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
         xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmp='http://ns.adobe.com/xap/1.0/' \
         xmlns:exif='http://ns.adobe.com/exif/1.0/' xmlns:tiff='http://ns.adobe.com/tiff/1.0/' \
         xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/' xmlns:aux='http://ns.adobe.com/exif/1.0/aux/' \
         {attributes}/></rdf:RDF>"
    )
    .into_bytes()
}

fn of_xmp(attributes: &str) -> Said {
    let parts = Parts {
        xmp: vec![packet(attributes).into()],
        ..Parts::default()
    };
    read(&parts, None)
}

fn taken_at(said: &Said) -> Option<&str> {
    said.taken.as_ref().map(|taken| taken.at.as_str())
}

fn here() -> Vec<Written> {
    vec![
        ascii(1, "S"),
        rationals(2, 5, &[(47, 1), (30, 1), (36, 1)]),
        ascii(3, "E"),
        rationals(4, 5, &[(8, 1), (15, 1), (0, 1)]),
    ]
}

fn place(gps: &[Written]) -> Option<(f64, f64)> {
    let place = of_exif(&[], &[], gps).place;
    place.map(|place| (place.latitude, place.longitude))
}

#[test]
fn a_block_says_all_that_is_in_it() {
    let said = of_exif(
        &[
            short(0x112, 6),
            ascii(0x10F, "Heron"),
            ascii(0x110, "Heron X100"),
            ascii(0x10E, "Two ducks"),
            short(0x4746, 4),
        ],
        &[
            ascii(DATE, "2021:07:03 18:30:05"),
            ascii(ORIGINAL_FRACTION, "25"),
            ascii(ORIGINAL_ZONE, "+02:00"),
            ascii(0xA433, "Gannet"),
            ascii(0xA434, "35mm F2"),
        ],
        &here(),
    );
    assert_eq!(said.orientation, Some(Orientation::Rotate90));
    let taken = Taken {
        at: "2021-07-03T18:30:05".to_owned(),
        milliseconds: Some(250),
        offset_minutes: Some(120),
        source: DateSource::DateTimeOriginal,
    };
    assert_eq!(said.taken, Some(taken));
    assert_eq!(said.camera.as_deref(), Some("Heron X100"));
    assert_eq!(said.lens.as_deref(), Some("Gannet 35mm F2"));
    assert_eq!(said.title.as_deref(), Some("Two ducks"));
    assert_eq!(said.rating, Some(4));
    let place = said.place.unwrap();
    assert_eq!((place.latitude, place.longitude), (-47.51, 8.25));
}

const ORIGINAL_FRACTION: u16 = 0x9291;
const ORIGINAL_ZONE: u16 = 0x9011;

#[test]
fn an_orientation_counts_in_every_kind_of_number() {
    let kinds: [(u16, u32, &[u8]); 5] = [
        (1, 1, &[6]),
        (3, 2, &[6, 0, 1, 0]),
        (4, 1, &[6, 0, 0, 0]),
        (8, 1, &[6, 0]),
        (9, 1, &[6, 0, 0, 0]),
    ];
    for (kind, count, data) in kinds {
        let field = Written {
            count,
            ..bytes(0x112, kind, data)
        };
        let said = of_exif(&[field], &[], &[]);
        assert_eq!(said.orientation, Some(Orientation::Rotate90), "{kind}");
    }
    for number in [0, 9, 0xFFFF] {
        assert_eq!(of_exif(&[short(0x112, number)], &[], &[]).orientation, None);
    }
}

#[test]
fn the_first_block_that_says_something_is_believed() {
    let first = tiff(&[short(0x112, 6)], &[]);
    let second = tiff(&[short(0x112, 3), ascii(0x110, "H1")], &[]);
    let said = of_blocks(&[b"no block", &first, &second]);
    assert_eq!(said.orientation, Some(Orientation::Rotate90));
    assert_eq!(said.camera.as_deref(), Some("H1"));
    let said = of_blocks(&[&second, &first]);
    assert_eq!(said.orientation, Some(Orientation::Rotate180));
}

#[test]
fn the_orientation_of_a_packet_counts_where_exif_has_none() {
    let both = |exif: &[Written]| {
        let parts = Parts {
            exif: vec![tiff(exif, &[]).into()],
            xmp: vec![packet("tiff:Orientation='8'").into()],
            ..Parts::default()
        };
        read(&parts, None).orientation
    };
    assert_eq!(both(&[ascii(0x110, "H1")]), Some(Orientation::Rotate270));
    assert_eq!(both(&[short(0x112, 1)]), Some(Orientation::NoTransforms));
    assert_eq!(both(&[short(0x112, 0)]), None);
}

#[test]
fn a_time_that_is_none_leaves_its_place_to_the_next() {
    let day = |day: u8| format!("2019:05:0{day} 12:00:00");
    let nothing = "0000:00:00 00:00:00".to_owned();
    let cases = [
        ([day(1), day(2), day(3)], 1, DateSource::DateTimeOriginal),
        (
            [nothing.clone(), day(2), day(3)],
            2,
            DateSource::DateTimeDigitized,
        ),
        (
            [
                "    :  :     :  :  ".to_owned(),
                "2019:02:30 1:2:3".to_owned(),
                day(3),
            ],
            3,
            DateSource::DateTime,
        ),
    ];
    for (texts, day, source) in cases {
        let [original, digitized, changed] = texts;
        let said = of_exif(
            &[ascii(0x132, &changed)],
            &[ascii(DATE, &original), ascii(0x9004, &digitized)],
            &[],
        );
        let taken = said.taken.unwrap();
        assert_eq!(taken.at, format!("2019-05-0{day}T12:00:00"));
        assert_eq!(taken.source, source);
    }
    assert_eq!(of_exif(&[], &[ascii(DATE, &nothing)], &[]).taken, None);
}

#[test]
fn behind_exif_come_xmp_then_iptc_then_the_container() {
    let container = Moment::parse("2019:05:05 12:00:00");
    let sets = [
        data_set(2, 55, b"20190504"),
        data_set(2, 60, b"120000+0200"),
    ];
    let mut parts = Parts {
        exif: vec![tiff(&[], &[(EXIF_IFD, &[ascii(DATE, "2019:05:01 12:00:00")])]).into()],
        xmp: vec![
            packet("photoshop:DateCreated='2019-05-03T12:00:00' exif:DateTimeOriginal='0000'")
                .into(),
        ],
        iptc: vec![sets.concat().into()],
        icc: None,
    };
    let mut found = Vec::new();
    let remove: [fn(&mut Parts<'_>); 4] = [
        |_| {},
        |parts| parts.exif.clear(),
        |parts| parts.xmp.clear(),
        |parts| parts.iptc.clear(),
    ];
    for remove in remove {
        remove(&mut parts);
        let taken = read(&parts, container).taken.unwrap();
        found.push((taken.at[8..10].to_owned(), taken.source));
    }
    let expected = [
        ("01", DateSource::DateTimeOriginal),
        ("03", DateSource::Xmp),
        ("04", DateSource::Iptc),
        ("05", DateSource::Container),
    ];
    let expected = expected.map(|(day, source)| (day.to_owned(), source));
    assert_eq!(found, expected);
    assert_eq!(read(&parts, None).taken, None);
}

#[test]
fn a_packet_tells_times_in_its_order() {
    for (attributes, time) in [
        (
            "exif:DateTimeOriginal='2019-05-01' photoshop:DateCreated='2018-01-01'",
            "2019-05-01T00:00:00",
        ),
        (
            "photoshop:DateCreated='2018-01-01T01:02Z' xmp:CreateDate='2017-01-01'",
            "2018-01-01T01:02:00",
        ),
        (
            "photoshop:DateCreated='2018' xmp:CreateDate='2017-01-01T01:02:03.5-03:00'",
            "2017-01-01T01:02:03",
        ),
        ("exif:DateTimeDigitized='2016-01-01'", "2016-01-01T00:00:00"),
    ] {
        assert_eq!(taken_at(&of_xmp(attributes)), Some(time), "{attributes}");
    }
}

#[test]
fn a_text_counts_in_whatever_kind_and_directory() {
    let time = b"2019:05:01 12:00:00\0";
    for kind in [1, 2, 6, 7, 129] {
        let field = bytes(DATE, kind, time);
        for (main, exif) in [
            (vec![field.clone()], vec![]),
            (vec![], vec![field.clone()]),
            (vec![field.clone()], vec![ascii(DATE, "    ")]),
        ] {
            let said = of_exif(&main, &exif, &[]);
            assert_eq!(taken_at(&said), Some("2019-05-01T12:00:00"), "{kind}");
        }
    }
}

#[test]
fn one_pointer_that_leads_astray_loses_nothing_else() {
    let maker_note = Written {
        tag: 0x927C,
        kind: 7,
        count: 1 << 30,
        data: vec![0xFF; 5],
    };
    let exif = [maker_note.clone(), ascii(DATE, "2019:05:01 12:00:00")];
    let said = of_exif(&[ascii(0x110, "H1"), maker_note], &exif, &here());
    assert!(said.taken.is_some() && said.place.is_some() && said.camera.is_some());

    for pointer in [0, 8, 100_000, u32::MAX] {
        let main = [ascii(0x110, "H1"), long(EXIF_IFD, pointer)];
        let said = of_blocks(&[&tiff(&main, &[(GPS_IFD, &here())])]);
        assert!(said.place.is_some() && said.camera.is_some(), "{pointer}");
        let main = [ascii(0x110, "H1"), long(GPS_IFD, pointer)];
        let said = of_blocks(&[&tiff(&main, &[(EXIF_IFD, &exif)])]);
        assert!(said.taken.is_some() && said.camera.is_some(), "{pointer}");
    }
}

/// Some programs point to it from there.
#[test]
fn a_place_may_stand_below_the_other_directory() {
    const ELSEWHERE: u16 = 0xEEEE;
    let with = |place: u32, astray: &[Written]| {
        let exif = [long(GPS_IFD, place)];
        tiff(astray, &[(EXIF_IFD, &exif), (ELSEWHERE, &here())])
    };
    for astray in [&[][..], &[long(GPS_IFD, 100_000)]] {
        let first = with(0, astray);
        let first = Tiff::open(&first).unwrap().first();
        let place = first.all(ELSEWHERE).next().unwrap().integer().unwrap();
        assert!(of_blocks(&[&with(place as u32, astray)]).place.is_some());
    }
}

#[test]
fn a_place_is_read_in_every_form() {
    let [south, latitude, east, longitude] = <[Written; 4]>::try_from(here()).unwrap();
    let with =
        |first: Written, second: Written| place(&[first, second, east.clone(), longitude.clone()]);
    for direction in ["S", "S ", "s", "South", " SOUTH"] {
        for kind in [2, 7, 1] {
            let field = bytes(1, kind, direction.as_bytes());
            assert_eq!(
                with(field, latitude.clone()),
                Some((-47.51, 8.25)),
                "{direction}"
            );
        }
    }
    for angle in [
        rationals(2, 10, &[(47, 1), (30, 1), (36, 1)]),
        rationals(2, 10, &[(-47, 1), (30, 1), (36, 1)]),
        rationals(2, 5, &[(47, 1), (306, 10), (0, 0)]),
        rationals(2, 5, &[(4751, 100), (0, 1), (0, 1)]),
        rationals(2, 5, &[(4751, 100)]),
        ascii(2, "47.51"),
        ascii(2, "-47,30,36"),
        rationals(2, 5, &[(47, 1), (306, 10)]),
        Written {
            count: 1,
            ..bytes(2, 12, &47.51_f64.to_le_bytes())
        },
    ] {
        assert_eq!(
            with(south.clone(), angle.clone()),
            Some((-47.51, 8.25)),
            "{angle:?}"
        );
    }
    assert_eq!(with(ascii(1, ""), latitude.clone()), None);
    assert_eq!(with(south.clone(), rationals(2, 5, &[(91, 1)])), None);
    assert_eq!(place(&[south, latitude]), None);
    let nowhere = [
        ascii(1, "N"),
        rationals(2, 5, &[(0, 1), (0, 1), (0, 1)]),
        ascii(3, "E"),
        rationals(4, 5, &[(0, 1), (0, 1), (0, 1)]),
    ];
    assert_eq!(place(&nowhere), None);
}

#[test]
fn a_packet_tells_a_place_too() {
    let said = of_xmp("exif:GPSLatitude='47,30.6S' exif:GPSLongitude='8,15,0E'");
    let place = said.place.unwrap();
    assert_eq!((place.latitude, place.longitude), (-47.51, 8.25));
    assert!(of_xmp("exif:GPSLatitude='47,30.6S'").place.is_none());
}

#[test]
fn a_camera_is_called_once_and_in_one_line() {
    for (make, model, expected) in [
        ("Heron", "H1", Some("Heron H1")),
        ("Heron", "Heron H1", Some("Heron H1")),
        ("HERON", "Heron H1", Some("Heron H1")),
        ("Heron\n", " H1\r\n", Some("Heron H1")),
        ("Heron   ", "H1\0\0junk", Some("Heron H1")),
        ("\0\0Heron", "H1", Some("Heron H1")),
        ("", "H1", Some("H1")),
        ("Heron", "", Some("Heron")),
        (" ", "\n", None),
    ] {
        let said = of_exif(&[ascii(0x10F, make), ascii(0x110, model)], &[], &[]);
        assert_eq!(said.camera.as_deref(), expected, "{make:?} {model:?}");
    }
    let said = of_xmp("tiff:Make='Heron' tiff:Model='H1' aux:Lens='35mm'");
    assert_eq!(said.camera.as_deref(), Some("Heron H1"));
    assert_eq!(said.lens.as_deref(), Some("35mm"));
}

fn wide(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn keywords_of_all_parts_are_taken_together() {
    let exif = tiff(&[bytes(0x9C9E, 1, &wide("Straße;See; ;dog"))], &[]);
    let keywords =
        "<dc:subject><rdf:Bag><rdf:li>cat</rdf:li><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>";
    let xmp = String::from_utf8(packet("")).unwrap();
    let xmp = xmp.replace(
        "/></rdf:RDF>",
        &format!(">{keywords}</rdf:Description></rdf:RDF>"),
    );
    let parts = Parts {
        exif: vec![exif.into()],
        xmp: vec![xmp.into_bytes().into()],
        iptc: vec![data_set(2, 25, b"tree").into()],
        icc: None,
    };
    let found: Vec<String> = read(&parts, None).keywords.into_iter().collect();
    assert_eq!(found, ["See", "Straße", "cat", "dog", "tree"]);
}

#[test]
fn a_packet_may_stand_among_image_resources() {
    let parts = Parts {
        iptc: vec![resource(0x424, &packet("xmp:Rating='2'")).into()],
        ..Parts::default()
    };
    assert_eq!(read(&parts, None).rating, Some(2));
}

#[test]
fn a_day_counts_where_its_time_is_none() {
    for time in [&b"999999"[..], b"", b"no"] {
        let sets = [data_set(2, 55, b"20190504"), data_set(2, 60, time)].concat();
        let parts = Parts {
            iptc: vec![sets.into()],
            ..Parts::default()
        };
        assert_eq!(taken_at(&read(&parts, None)), Some("2019-05-04T00:00:00"));
    }
}

#[test]
fn titles_are_believed_before_descriptions_and_cameras_give_none() {
    let title = |xmp: &str, iptc: &[u8], wide_title: &str, description: &str| {
        let exif = tiff(
            &[
                ascii(0x10E, description),
                bytes(0x9C9B, 1, &wide(wide_title)),
            ],
            &[],
        );
        let parts = Parts {
            exif: vec![exif.into()],
            xmp: vec![packet(xmp).into()],
            iptc: vec![data_set(2, 5, iptc).into()],
            icc: None,
        };
        read(&parts, None).title
    };
    let of_xmp = "dc:title='of XMP'";
    assert_eq!(title(of_xmp, b"b", "c", "d").as_deref(), Some("of XMP"));
    assert_eq!(title("", b"b", "c", "d").as_deref(), Some("b"));
    assert_eq!(title("", b" ", "ç", "d").as_deref(), Some("ç"));
    assert_eq!(
        title("", b"", "", "two\n ducks").as_deref(),
        Some("two ducks")
    );
    for camera in [
        "OLYMPUS DIGITAL CAMERA         ",
        "SONY DSC",
        "DCIM\\100GOPRO",
    ] {
        assert_eq!(title("", b"", "", camera), None);
    }
    let long = "ü".repeat(2 * MAX_TEXT_BYTES);
    assert_eq!(
        title("", b"", &long, "").map(|text| text.len()),
        Some(MAX_TEXT_BYTES)
    );
}

#[test]
fn ratings_are_stars_or_a_rejection() {
    for (xmp, exif, percent, expected) in [
        ("xmp:Rating='3'", 5, 99, Some(3)),
        ("xmp:Rating='-1'", 5, 99, Some(-1)),
        ("xmp:Rating='3.0'", 5, 99, Some(3)),
        ("", 4, 99, Some(4)),
        ("", 9, 99, None),
        ("xmp:Rating='-2'", 5, 99, None),
        ("xmp:Rating='many'", 5, 99, Some(5)),
    ] {
        let parts = Parts {
            exif: vec![tiff(&[short(0x4746, exif), short(0x4749, percent)], &[]).into()],
            xmp: vec![packet(xmp).into()],
            ..Parts::default()
        };
        assert_eq!(read(&parts, None).rating, expected, "{xmp} {exif}");
    }
    for (percent, stars) in [(0, 0), (1, 1), (25, 2), (50, 3), (75, 4), (99, 5)] {
        let said = of_exif(&[short(0x4749, percent)], &[], &[]);
        assert_eq!(said.rating, Some(stars), "{percent}");
    }
}

#[test]
fn a_tiff_holds_packets_and_data_sets() {
    let sets = [data_set(2, 25, b"kw2"), data_set(2, 5, b"title!!")].concat();
    let turned: Vec<u8> = sets
        .chunks(4)
        .flat_map(|four| four.iter().rev().copied())
        .collect();
    for sets in [sets, turned] {
        let field = Written {
            count: (sets.len() / 4) as u32,
            ..bytes(0x83BB, 4, &sets)
        };
        let block = tiff(&[bytes(700, 1, &packet("xmp:Rating='2'")), field], &[]);
        let said = of_blocks(&[&block]);
        assert_eq!(said.rating, Some(2));
        assert_eq!(said.keywords.into_iter().collect::<Vec<_>>(), ["kw2"]);
        assert_eq!(said.title.as_deref(), Some("title!!"));
    }
}

#[test]
fn every_value_is_told_with_where_it_stands() {
    let exif = tiff(
        &[ascii(0x110, "H1"), short(0x112, 6)],
        &[(GPS_IFD, &here())],
    );
    let parts = Parts {
        exif: vec![exif.into(), b"nothing".into()],
        xmp: vec![packet("xmp:Rating='2'").into(), b"<x>".into()],
        iptc: vec![data_set(2, 25, b"kw").into()],
        icc: None,
    };
    let values = values(&parts);
    let told: Vec<_> = values
        .iter()
        .map(|value| format!("{} {} {}", value.source, value.name, value.text))
        .collect();
    assert_eq!(
        told,
        [
            "EXIF Orientation 6",
            "EXIF Model H1",
            "EXIF GPSLatitudeRef S",
            "EXIF GPSLatitude 47 30 36",
            "EXIF GPSLongitudeRef E",
            "EXIF GPSLongitude 8 15 0",
            "XMP xmp:Rating 2",
            "IPTC Keywords kw",
        ]
    );
    let warnings = warnings(&parts);
    assert!(
        warnings[0].starts_with("its XMP: it is not well-formed"),
        "{warnings:?}"
    );
    assert_eq!(warnings[1], "its EXIF is none");
}

#[test]
fn no_flipped_byte_makes_it_panic() {
    let block = tiff(
        &[
            ascii(0x10F, "Heron"),
            bytes(700, 1, &packet("xmp:Rating='2'")),
        ],
        &[
            (EXIF_IFD, &[ascii(DATE, "2019:05:01 12:00:00")]),
            (GPS_IFD, &here()),
        ],
    );
    for at in 0..block.len() {
        for byte in [0, 0x7F, 0xFF] {
            let mut bytes = block.clone();
            bytes[at] = byte;
            of_blocks(&[&bytes]);
        }
    }
}

#[test]
fn of_a_makers_notes_only_what_apple_calls_the_shot_is_read() {
    let identifier = "4F2B1C7A-0000-4A5D-9E0B-2D6F0A1B2C3D";
    let fields = [short(1, 14), ascii(0x0011, identifier)];
    let notes = |head: &[u8]| {
        let at = head.len() as u32 + 2;
        [
            head,
            b"II",
            &crate::decode::ifd::tests::directory(at, &fields),
        ]
        .concat()
    };
    let said = |notes: &[u8]| of_exif(&[], &[bytes(0x927C, 7, notes)], &[]).content_identifier;
    let whole = notes(b"Apple iOS\0\0\x01");
    assert_eq!(said(&whole).as_deref(), Some(identifier));
    assert_eq!(said(&notes(b"Nikon\0\x02\x11\0\0\0\0")), None);
    for len in 0..whole.len() - 2 {
        assert_eq!(said(&whole[..len]), None, "{len}");
    }
}

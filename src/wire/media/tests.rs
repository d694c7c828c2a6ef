//! Files in messages: where they are found, what they are, and names that mean harm.

use super::types::*;
use super::*;

fn found(envelope: &str) -> String {
    let found = attachments(envelope);
    let words: Vec<_> = found.iter().map(|a| format!("{a:?}")).collect();
    words.join(", ")
}

#[test]
fn a_file_is_found_wherever_it_is() {
    let cases = [
        (
            r#"{"messages":[{"type":"text","text":{"body":"image"}}]}"#,
            "",
        ),
        (
            r#"{"messages":[{"type":"image","image":{"id":"1","mime_type":"image/jpeg"}}]}"#,
            "image 1",
        ),
        (
            r#"{"messages":[{"type":"voice","voice":{"id":"2"}}]}"#,
            "audio 2",
        ),
        (
            r#"{"messages":[{"type":"sticker","sticker":{"id":3}}]}"#,
            "sticker 3",
        ),
        (
            r#"{"message_echoes":[{"document":{"id":"4"}},{"video":{"id":"5"}}]}"#,
            "document 4, video 5",
        ),
        (
            r#"{"messages":[{"edit":{"message":{"image":{"id":"6"}}}}]}"#,
            "image 6",
        ),
        (
            r#"{"template":{"components":[{"parameters":[{"type":"image","image":{"id":"7"}}]}]}}"#,
            "image 7",
        ),
        (
            r#"{"interactive":{"header":{"type":"video","video":{"id":"8"}}}}"#,
            "video 8",
        ),
        (
            r#"{"call_recording":{"type":"audio","audio":{"id":"9"}}}"#,
            "audio 9",
        ),
        // Named twice; by a link; by nothing; lone surrogates beside it.
        (
            r#"{"a":{"image":{"id":"1"}},"b":{"image":{"id":"1"}}}"#,
            "image 1",
        ),
        (r#"{"image":{"link":"https://example.test/x"}}"#, ""),
        (r#"{"image":"x","video":[],"audio":null,"document":{}}"#, ""),
        (r#"{"image":{"id":"1","caption":"\ud83d"}}"#, "image 1"),
        // Ids that would lead elsewhere.
        (r#"{"image":{"id":"../me"}}"#, ""),
        (r#"{"image":{"id":"1?x=y"}}"#, ""),
        (r#"{"image":{"id":""}}"#, ""),
        ("not JSON with image in it", ""),
    ];
    for (envelope, expected) in cases {
        assert_eq!(found(envelope), expected, "{envelope}");
    }
    let long = format!(r#"{{"image":{{"id":"{}"}}}}"#, "1".repeat(ID_CHARS_MAX + 1));
    assert_eq!(found(&long), "");
    let deep = format!(
        "{}{}{}",
        r#"{"x":"#.repeat(5_000),
        r#"{"image":{"id":"1"}}"#,
        "}".repeat(5_000)
    );
    assert_eq!(found(&deep), "");
}

#[test]
fn kinds_are_named_as_meta_does() {
    let kinds = Kinds::parse("image, voice").unwrap();
    let has: Vec<bool> = Kind::ALL.into_iter().map(|kind| kinds.has(kind)).collect();
    assert_eq!(has, [true, false, true, false, false]);
    assert!(
        Kind::ALL
            .into_iter()
            .all(|kind| Kinds::parse("all").unwrap().has(kind))
    );
    assert_eq!(Kinds::parse("image,pictures"), Err("pictures".into()));
    assert_eq!(Kinds::parse(""), Err(String::new()));
    assert!(Kinds::NONE.is_empty() && !kinds.is_empty());
}

#[test]
fn a_digest_is_read_in_each_of_metas_spellings() {
    // SHA-256 of nothing.
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let spellings = [
        hex.to_owned(),
        hex.to_uppercase(),
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".into(),
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".into(),
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=".into(),
    ];
    for text in spellings {
        assert_eq!(
            Digest::parse(&text).map(|d| d.hex()).as_deref(),
            Some(hex),
            "{text}"
        );
    }
    let signed = format!("+3{}", &hex[2..]);
    for text in ["", "abc", "47DEQpj8", &hex[2..], &signed, &"é".repeat(32)] {
        assert_eq!(Digest::parse(text), None, "{text}");
    }
}

#[test]
fn a_stored_name_is_ours_whatever_the_type_says() {
    let digest = Digest([0xAB; 32]);
    let hex = "ab".repeat(32);
    let cases = [
        (Some("image/jpeg"), ".jpg"),
        (Some("Audio/OGG; codecs=opus"), ".ogg"),
        (Some("application/pdf"), ".pdf"),
        (Some("text/html"), ""),
        (Some("image/svg+xml"), ""),
        (Some("../../etc/passwd"), ""),
        (Some("image/jpeg/../../x"), ""),
        (Some(""), ""),
        (None, ""),
    ];
    for (mime_type, end) in cases {
        assert_eq!(
            stored_name(&digest, mime_type),
            format!("{hex}{end}"),
            "{mime_type:?}"
        );
    }
}

#[test]
fn nothing_is_served_as_a_type_that_a_browser_runs() {
    let cases = [
        (Some("image/png"), "image/png"),
        (Some("text/html"), "application/octet-stream"),
        (Some("image/svg+xml"), "application/octet-stream"),
        (Some("application/javascript"), "application/octet-stream"),
        (Some("image/png\r\nX: y"), "application/octet-stream"),
        (None, "application/octet-stream"),
    ];
    for (mime_type, expected) in cases {
        assert_eq!(served_type(mime_type), expected, "{mime_type:?}");
    }
}

#[test]
fn a_hostile_filename_can_do_nothing() {
    let cases = [
        (Some("bill.pdf"), r#"attachment; filename="bill.pdf""#),
        (Some("../../etc/passwd"), r#"attachment; filename="passwd""#),
        (
            Some("C:\\Windows\\evil.exe"),
            r#"attachment; filename="evil.exe""#,
        ),
        (Some(".bashrc"), r#"attachment; filename="bashrc""#),
        (
            Some("a\r\nSet-Cookie: x=y.pdf"),
            r#"attachment; filename="aSet-Cookie_ x_y.pdf"; filename*=UTF-8''aSet-Cookie%3A%20x%3Dy.pdf"#,
        ),
        (
            Some("a\";x=\"b.pdf"),
            r#"attachment; filename="a__x__b.pdf"; filename*=UTF-8''a%22%3Bx%3D%22b.pdf"#,
        ),
        (Some("\u{202e}fdp.exe"), r#"attachment; filename="fdp.exe""#),
        (
            Some("é.pdf"),
            r#"attachment; filename="_.pdf"; filename*=UTF-8''%C3%A9.pdf"#,
        ),
        (Some("/"), r#"attachment; filename="77.jpg""#),
        (Some("..."), r#"attachment; filename="77.jpg""#),
        (None, r#"attachment; filename="77.jpg""#),
    ];
    for (filename, expected) in cases {
        assert_eq!(
            disposition(filename, "77", Some("image/jpeg")),
            expected,
            "{filename:?}"
        );
    }
    let long = disposition(Some(&format!("{}.pdf", "x".repeat(5_000))), "77", None);
    assert!(long.len() < 200 && long.ends_with("x.pdf\""), "{long}");
}

#[test]
fn a_document_is_shown_by_a_harmless_name_with_an_end() {
    let pdf = named("application/pdf").unwrap();
    let cases = [
        ("bill.pdf", "bill.pdf"),
        ("Rechnung Nº 7.pdf", "Rechnung Nº 7.pdf"),
        ("bill", "bill.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\bill.pdf", "bill.pdf"),
        ("a\u{202e}fdp.exe", "afdp.exe"),
        ("a\r\n\u{1b}[31m.pdf", "a[31m.pdf"),
        (".pdf", "pdf.pdf"),
        ("..", "document.pdf"),
        ("", "document.pdf"),
    ];
    for (given, expected) in cases {
        assert_eq!(shown_name(given, pdf), expected, "{given:?}");
    }
}

#[test]
fn a_file_to_send_is_known_by_what_it_holds() {
    let mp4 = |brand: &str| [b"\0\0\0\x18ftyp", brand.as_bytes(), b"\0\0\0\0"].concat();
    let cases: &[(&str, &[u8], &str)] = &[
        ("a.jpg", b"\xFF\xD8\xFF\xE0", "image/jpeg"),
        ("a.png", b"\xFF\xD8\xFF\xE0", "image/jpeg"),
        ("a", b"\x89PNG\r\n\x1A\n", "image/png"),
        ("a.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        ("a.wav", b"RIFF\x00\x00\x00\x00WAVEfmt ", ""),
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("a.opus", b"OggS\0", "audio/ogg"),
        ("a.mp3", b"ID3\x03", "audio/mpeg"),
        ("a.mp3", b"\xFF\xFB\x90", "audio/mpeg"),
        ("a.aac", b"\xFF\xF1\x50", "audio/aac"),
        ("a.amr", b"#!AMR\n", "audio/amr"),
        ("a.m4a", &mp4("M4A "), "audio/mp4"),
        ("a.mp4", &mp4("isom"), "video/mp4"),
        ("a.3gp", &mp4("3gp5"), "video/3gpp"),
        ("a.mov", &mp4("qt  "), ""),
        (
            "a.docx",
            b"PK\x03\x04",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ("a.zip", b"PK\x03\x04", ""),
        ("a.jpg", b"PK\x03\x04", ""),
        (
            "a.XLS",
            b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
            "application/vnd.ms-excel",
        ),
        ("a.txt", "Grüße".as_bytes(), "text/plain"),
        (
            "a.txt",
            "Gr\u{fc}".as_bytes().split_last().unwrap().1,
            "text/plain",
        ),
        ("a.txt", b"\x00\x01", ""),
        ("a.html", b"<html>", ""),
        ("a.jpg", b"<html>", ""),
        ("a.exe", b"MZ\x90\x00", ""),
    ];
    for (name, head, expected) in cases {
        let found = recognise(name, head).map_or("", |t| t.mime);
        assert_eq!(found, *expected, "{name} {head:?}");
    }
    assert!(is_animated(
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0A\x00\x00\x00\x02"
    ));
    assert!(!is_animated(
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0A\x00\x00\x00\x10"
    ));
    assert!(!is_animated(b"RIFF\x00\x00\x00\x00WEBPVP8 "));
}

#[test]
fn graph_describes_a_file() {
    let read = |body: &str| Described::read(body.as_bytes());
    let whole = read(
        r#"{"messaging_product":"whatsapp","url":"https:\/\/lookaside.fbsbx.com\/x","mime_type":"image/jpeg",
            "sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","file_size":"12","id":"1"}"#,
    )
    .unwrap();
    assert_eq!(whole.url, "https://lookaside.fbsbx.com/x");
    assert_eq!(
        (whole.bytes, whole.mime_type.as_deref()),
        (Some(12), Some("image/jpeg"))
    );
    assert!(whole.sha256.is_some());
    assert_eq!(
        read(r#"{"url":"https://x","file_size":7}"#).unwrap().bytes,
        Some(7)
    );
    for body in [
        "",
        "[]",
        "<html>",
        r#"{"id":"1"}"#,
        r#"{"url":""}"#,
        r#"{"url":{}}"#,
    ] {
        assert!(read(body).is_none(), "{body}");
    }
}

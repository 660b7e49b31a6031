//! Frames of git's protocol, however they are cut.

use crate::git::remote::pkt_line::{BadLength, Packet, PktDecoder, push_delimiter, push_flush, push_line};

/// All frames of `bytes`, which come in parts of this size.
fn frames(bytes: &[u8], size: usize) -> Result<Vec<String>, BadLength> {
    let mut decoder = PktDecoder::default();
    let mut found = Vec::new();
    for part in bytes.chunks(size) {
        decoder.buffer().extend_from_slice(part);
        while let Some(packet) = decoder.take()? {
            found.push(match packet {
                Packet::Data(data) => String::from_utf8_lossy(data).into_owned(),
                other => format!("{other:?}"),
            });
        }
    }
    assert!(decoder.is_empty());
    Ok(found)
}

#[test]
fn frames_are_the_same_however_the_bytes_are_cut() {
    let mut bytes = Vec::new();
    push_line(&mut bytes, "command=ls-refs");
    push_delimiter(&mut bytes);
    push_line(&mut bytes, &"x".repeat(60_000));
    bytes.extend_from_slice(b"00040002");
    push_flush(&mut bytes);
    assert!(bytes.starts_with(b"0014command=ls-refs\n0001"));
    let long = "x".repeat(60_000) + "\n";
    let expected = ["command=ls-refs\n", "Delimiter", &long, "", "ResponseEnd", "Flush"];
    for size in [1, 3, 7, 4096, bytes.len()] {
        assert_eq!(frames(&bytes, size).expect("frames"), expected, "{size}");
    }
}

#[test]
fn a_length_that_no_frame_has_is_refused() {
    for bad in ["0003", "fff1", "ffff", "zzzz", "+001", " 001", "-001"] {
        assert_eq!(frames(bad.as_bytes(), 4), Err(BadLength), "{bad}");
    }
    let longest = [b"fff0".to_vec(), vec![b'x'; 65516]].concat();
    assert_eq!(frames(&longest, 1000).expect("a frame")[0].len(), 65516);
}

#[test]
fn a_line_may_end_in_a_line_feed_or_not() {
    assert_eq!(Packet::Data(b"a\n").line(), Packet::Data(b"a").line());
    assert_eq!(Packet::Flush.line(), None);
}

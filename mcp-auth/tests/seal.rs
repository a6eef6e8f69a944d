//! What a seal opens, and everything that it does not.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use mcp_auth::{KeyError, KeyRing, Seal, SealError, Sealer};

const RESOURCE: &str = "https://mcp.example/mcp";

/// 32 bytes whose base64 has `+`, `/` and padding.
const KEY: [u8; 32] = [0xfb; 32];

fn ring<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> KeyRing {
    KeyRing::parse(keys).expect("keys")
}

fn sessions(keys: KeyRing) -> Seal {
    Sealer::new(keys, RESOURCE).purpose("session id")
}

fn opened(seal: &Seal, text: &str) -> Option<Vec<u8>> {
    seal.open(text).map(|opened| opened.statement)
}

fn old() -> String {
    "0d".repeat(32)
}

fn new() -> String {
    "7e".repeat(32)
}

#[test]
fn what_is_sealed_opens() {
    let seal = sessions(KeyRing::ephemeral().expect("randomness"));
    for length in [0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 1000, Seal::MAX_STATEMENT] {
        let statement: Vec<u8> = (0..length).map(|i| i as u8).collect();
        let text = seal.seal(&statement).expect("seals");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
        assert_eq!(opened(&seal, &text), Some(statement), "{length} bytes");
    }
}

#[test]
fn one_statement_sealed_twice_is_two_texts_with_two_ids() {
    let seal = sessions(ring([old()]));
    let (one, two) = (seal.seal(b"same").expect("seals"), seal.seal(b"same").expect("seals"));
    assert_ne!(one, two);
    assert_ne!(seal.open(&one).expect("opens").id, seal.open(&two).expect("opens").id);
    assert_eq!(seal.open(&one), seal.open(&one), "the id is the text's, not the opening's");
}

#[test]
fn a_text_opens_for_its_purpose_at_its_resource_under_its_key_only() {
    let text = sessions(ring([old()])).seal(b"alice").expect("seals");
    let elsewhere = |key: String, resource: &str, purpose| opened(&Sealer::new(ring([key]), resource).purpose(purpose), &text);
    assert_eq!(elsewhere(old(), RESOURCE, "session id"), Some(b"alice".to_vec()));
    for purpose in ["cursor", "requestState", "relay token", "session", "session id ", ""] {
        assert_eq!(elsewhere(old(), RESOURCE, purpose), None, "{purpose:?}");
    }
    for resource in ["https://mcp.example", "https://mcp.example/mcp/", "https://other.example/mcp", ""] {
        assert_eq!(elsewhere(old(), resource, "session id"), None, "{resource:?}");
    }
    assert_eq!(elsewhere(new(), RESOURCE, "session id"), None);
    let ephemeral = || sessions(KeyRing::ephemeral().expect("randomness"));
    assert_eq!(ephemeral().open(&ephemeral().seal(b"alice").expect("seals")), None);
}

#[test]
fn keys_rotate() {
    let (before, during, after) = (ring([old()]), ring([new(), old()]), ring([new()]));
    let (before, during, after) = (sessions(before), sessions(during), sessions(after));
    let text = before.seal(b"alice").expect("seals");
    assert_eq!(opened(&during, &text), Some(b"alice".to_vec()), "the second key still opens");
    assert_eq!(opened(&after, &text), None, "a key that was taken out opens nothing");
    let text = during.seal(b"bob").expect("seals");
    assert_eq!(opened(&after, &text), Some(b"bob".to_vec()), "the first key seals");
    assert_eq!(opened(&before, &text), None);
}

#[test]
fn no_bit_can_be_flipped() {
    let seal = sessions(ring([new(), old()]));
    for statement in ["", "alice"] {
        let text = seal.seal(statement.as_bytes()).expect("seals");
        let bytes = URL_SAFE_NO_PAD.decode(&text).expect("base64");
        assert_eq!(URL_SAFE_NO_PAD.encode(&bytes), text);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seal.open(&URL_SAFE_NO_PAD.encode(changed)), None, "bit {bit}");
        }
    }
}

#[test]
fn nothing_can_be_cut_off_or_added() {
    let seal = sessions(ring([old()]));
    let text = seal.seal(b"alice").expect("seals");
    let bytes = URL_SAFE_NO_PAD.decode(&text).expect("base64");
    for length in 0..text.len() {
        assert_eq!(seal.open(&text[..length]), None, "{length} characters");
        assert_eq!(seal.open(&text[text.len() - length..]), None, "the last {length} characters");
    }
    for length in 0..bytes.len() {
        assert_eq!(seal.open(&URL_SAFE_NO_PAD.encode(&bytes[..length])), None, "{length} bytes");
    }
    for more in 1..=32 {
        let mut longer = bytes.clone();
        longer.resize(bytes.len() + more, 0);
        assert_eq!(seal.open(&URL_SAFE_NO_PAD.encode(longer)), None, "{more} bytes more");
        assert_eq!(seal.open(&format!("{text}{}", "A".repeat(more))), None, "{more} characters more");
    }
}

#[test]
fn a_statement_has_one_text() {
    let seal = sessions(ring([old()]));
    // Most texts lack `-` or `_`, and are then the same in the standard alphabet.
    for statement in ["", "a", "ab"] {
        let text = std::iter::repeat_with(|| seal.seal(statement.as_bytes()).expect("seals"))
            .take(1000)
            .find(|text| text.contains('-') && text.contains('_'))
            .expect("one in a thousand has both");
        let bytes = URL_SAFE_NO_PAD.decode(&text).expect("base64");
        assert!(seal.open(&text).is_some());
        let mut others = vec![STANDARD.encode(&bytes), STANDARD_NO_PAD.encode(&bytes), format!("{text}="), format!("{text}==")];
        if !statement.is_empty() {
            others.push(URL_SAFE.encode(&bytes));
            others.extend(with_trailing_bits(&text));
        }
        for around in [" ", "\n", "\t", "\0", "é"] {
            others.extend([format!("{around}{text}"), format!("{text}{around}")]);
        }
        others.push(format!("{}\n{}", &text[..20], &text[20..]));
        for other in others {
            assert_ne!(other, text);
            assert_eq!(seal.open(&other), None, "{other:?}");
        }
    }
}

/// The texts that differ in the last character only, by bits that no byte takes.
fn with_trailing_bits(text: &str) -> Vec<String> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unused = if text.len() % 4 == 2 { 4 } else { 2 };
    let (rest, last) = text.split_at(text.len() - 1);
    let value = alphabet.find(last).expect("base64");
    (1..1 << unused).map(|bits| format!("{rest}{}", &alphabet[value + bits..=value + bits])).collect()
}

#[test]
fn what_is_no_sealed_text_does_not_open() {
    let seal = sessions(ring([old()]));
    for text in ["", "A", "é", "\u{10ffff}", "not a sealed text", "Af39-j4", "....", "%00"] {
        assert_eq!(seal.open(text), None, "{text:?}");
    }
}

#[test]
fn what_would_not_open_is_not_sealed() {
    let seal = sessions(ring([old()]));
    let longest = seal.seal(&[0; Seal::MAX_STATEMENT]).expect("seals");
    assert_eq!(longest.len(), Seal::MAX_TEXT);
    let error = seal.seal(&[0; Seal::MAX_STATEMENT + 1]).expect_err("too long");
    assert_eq!(error, SealError::TooLong { bytes: 6100, most: 6099 });
    assert_eq!(error.to_string(), "a statement of 6100 bytes is too long to seal: at most 6099 are allowed");
    for length in [Seal::MAX_TEXT + 1, Seal::MAX_TEXT + 4, 1 << 20] {
        assert_eq!(seal.open(&"A".repeat(length)), None);
        assert_eq!(seal.open(&format!("{longest}{}", "A".repeat(length - longest.len()))), None);
    }
}

#[test]
fn a_key_may_be_written_in_hex_and_in_any_base64() {
    let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = sessions(ring([&hex])).seal(b"alice").expect("seals");
    let forms = [
        hex.to_uppercase(),
        STANDARD.encode(KEY),
        STANDARD_NO_PAD.encode(KEY),
        URL_SAFE.encode(KEY),
        URL_SAFE_NO_PAD.encode(KEY),
        format!("  {hex}\r\n"),
        format!("\t{}\n", STANDARD.encode(KEY)),
    ];
    assert!(forms[1].contains('+') && forms[1].ends_with('=') && forms[3].contains('-'), "{forms:?}");
    for form in forms {
        assert!(sessions(ring([&form])).open(&text).is_some(), "{form:?}");
    }
    // Longer keys count to their last byte.
    let (mut long, mut other) = ([0x5a; 64], [0x5a; 64]);
    (long[63], other[63]) = (1, 2);
    let text = sessions(ring([URL_SAFE.encode(long)])).seal(b"alice").expect("seals");
    assert_eq!(sessions(ring([URL_SAFE.encode(other)])).open(&text), None);
}

#[test]
fn only_a_key_that_was_made_up_is_ephemeral() {
    assert!(KeyRing::ephemeral().expect("randomness").is_ephemeral());
    assert!(!ring([old()]).is_ephemeral());
    assert_eq!(KeyRing::parse([] as [&str; 0]).expect_err("no key"), KeyError::Empty, "nothing is made up in silence");
}

#[test]
fn errors_name_the_key_by_its_position_and_never_show_it() {
    let key = |i: u8| format!("{i:02x}").repeat(32);
    let base64 = STANDARD.encode(KEY);
    let many: Vec<String> = (1..=16).map(key).collect();
    let and = |last: &str| [many[..2].to_vec(), vec![last.to_owned()]].concat();
    let no_base64 = format!("{}!", &base64[..42]);
    let mixed = format!("-/{}", "M".repeat(42));
    let odd = "abc".repeat(23);
    let trailing_bits = format!("{}/=", "M".repeat(42));
    let unreadable = "the 3rd key is neither base64 nor hex, without white space in it (`openssl rand -base64 32` makes one that is; several keys are separated by commas)";
    let length =
        |nth, bytes| format!("the {nth} key has {bytes} bytes, 32 to 64 are allowed (`openssl rand -base64 32` makes one)");
    let cases = [
        (vec![], "there is no key: give at least one (`openssl rand -base64 32` makes one)".to_owned()),
        (and(&no_base64), unreadable.to_owned()),
        (and(&mixed), unreadable.to_owned()),
        (and(&odd), unreadable.to_owned()),
        (and(&trailing_bits), unreadable.to_owned()),
        (vec![String::new()], length("1st", 0)),
        (vec![many[0].clone(), "  ".to_owned()], length("2nd", 0)),
        (and(&STANDARD.encode([0xfb; 31])), length("3rd", 31)),
        // As base64 this would be 36 bytes.
        (and(&"5e".repeat(24)), length("3rd", 24)),
        (and(&STANDARD.encode([0xfb; 65])), length("3rd", 65)),
        ([&many[..10], &["5e".repeat(65)]].concat(), length("11th", 65)),
        ([&many[..11], &many[3..4]].concat(), "the 12th key is the 4th once more: take one of them out".to_owned()),
        (vec!["fb".repeat(32), base64.clone()], "the 2nd key is the 1st once more: take one of them out".to_owned()),
        (
            [&many[..], &["aa".repeat(32)]].concat(),
            "there are more than 16 keys: take out those whose sealed texts have expired".to_owned(),
        ),
    ];
    for (keys, message) in cases {
        let error = KeyRing::parse(&keys).expect_err(&message);
        assert_eq!(error.to_string(), message);
        for key in keys.iter().filter(|key| key.trim().len() >= 8) {
            for part in (0..=key.len() - 8).map(|at| &key[at..at + 8]) {
                assert!(!error.to_string().contains(part) && !format!("{error:?}").contains(part), "{error:?}");
            }
        }
    }
    assert!(KeyRing::parse(many).is_ok(), "sixteen are allowed");
}

#[test]
fn debug_shows_no_key_and_no_statement() {
    let sealer = Sealer::new(ring([old(), new()]), RESOURCE);
    let seal = sealer.purpose("session id");
    let opened = seal.open(&seal.seal(b"alice").expect("seals")).expect("opens");
    assert_eq!(format!("{:?}", ring([old()])), "KeyRing { keys: 1, ephemeral: false }");
    let shown = format!("Sealer {{ keys: KeyRing {{ keys: 2, ephemeral: false }}, resource: \"{RESOURCE}\" }}");
    assert_eq!(format!("{sealer:?}"), shown);
    assert_eq!(format!("{seal:?}"), "Seal { purpose: \"session id\", keys: 2, .. }");
    assert_eq!(format!("{opened:?}"), "Opened { bytes: 5, .. }");
}

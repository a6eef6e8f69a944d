//! JSON text, written straight into the answer.

/// How many bytes are looked at together. A fixed width lets the compiler use vector instructions.
const WIDTH: usize = 32;

const HEX: &[u8; 16] = b"0123456789abcdef";

fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    // `bytes[..copied]` is written, `bytes[copied..at]` is known to be clean.
    let (mut copied, mut at) = (0, 0);
    while let Some(chunk) = bytes.get(at..at + WIDTH) {
        if chunk.iter().fold(false, |found, &byte| found | must_escape(byte)) {
            escape_in(out, bytes, &mut copied, at, at + WIDTH);
        }
        at += WIDTH;
    }
    escape_in(out, bytes, &mut copied, at, bytes.len());
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

fn escape_in(out: &mut Vec<u8>, bytes: &[u8], copied: &mut usize, from: usize, to: usize) {
    for at in from..to {
        let byte = bytes[at];
        if !must_escape(byte) {
            continue;
        }
        out.extend_from_slice(&bytes[*copied..at]);
        *copied = at + 1;
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0C => b'f',
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_as_serde_json_writes_them() {
        let all: String = (0u8..128).map(char::from).chain("é😀\u{2028}".chars()).collect();
        for length in [0, 1, 31, 32, 33, 64, 100] {
            for start in [0, 1, 7, 33] {
                let text: String = "abcdefgh".repeat(20).chars().take(length).chain(all.chars().skip(start)).collect();
                let mut out = Vec::new();
                write_string(&mut out, &text);
                assert_eq!(String::from_utf8(out).expect("UTF-8"), serde_json::to_string(&text).expect("JSON"));
            }
        }
    }
}

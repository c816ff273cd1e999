//! Mutations that know nothing of the form.

use super::dice::Dice;

/// Texts that decoders stumble over.
pub(crate) const TEXTS: [&str; 22] = [
    "",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e999",
    "-0.0",
    "NaN",
    "Infinity",
    "0x10",
    "2026-11-21T09:43:47.123456789Z",
    "9999-12-31T23:59:60+24:00",
    "00000000000000000000000000000000",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "\u{0}",
    "\u{202e}\u{1f300}\u{fffd}",
    "[{'role': 'user', 'content': \"it's\"}, (1, None, True)]",
    "{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"x\"}]}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Changes some bytes.
pub(crate) fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(7) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *dice.pick(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'[', b'\\', b'\n']);
                }
            }
            3 => bytes.truncate(at),
            4 => {
                let end = bytes.len().min(at + dice.size());
                bytes.drain(at..end);
            }
            5 => {
                let end = bytes.len().min(at + dice.size());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let text = dice.pick(&TEXTS).bytes();
                bytes.splice(at..at, text);
            }
        }
    }
}

//! Splits Rust source into what runs and what is only said.
//!
//! A rule about code must not trip over a comment, and a rule about SQL must look inside strings.
//! This is a splitter, not a parser: it knows comments, strings, raw strings and characters.

/// Three copies of one source text with the same length and lines; in each, everything that belongs
/// to the other two is blank.
#[derive(Debug)]
pub struct Views {
    pub code: String,
    pub strings: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    String,
    Comment,
}

/// Splits `source`.
pub fn split(source: &str) -> Views {
    let chars: Vec<char> = source.chars().collect();
    let mut parts = vec![Part::Code; chars.len()];
    let mut at = 0;
    while at < chars.len() {
        let (part, end) = piece(&chars, at);
        parts[at..end].fill(part);
        at = end;
    }
    let view = |wanted: Part| {
        let keep = |(&c, &part): (&char, &Part)| if c == '\n' || part == wanted { c } else { ' ' };
        chars.iter().zip(&parts).map(keep).collect()
    };
    Views { code: view(Part::Code), strings: view(Part::String) }
}

/// What begins at `at`, and where it ends.
fn piece(chars: &[char], at: usize) -> (Part, usize) {
    match chars[at] {
        '/' if chars.get(at + 1) == Some(&'/') => (Part::Comment, line_end(chars, at)),
        '/' if chars.get(at + 1) == Some(&'*') => (Part::Comment, block_end(chars, at + 2)),
        '"' => (Part::String, quoted_end(chars, at + 1)),
        'r' if !is_word(chars, at.wrapping_sub(1)) => match raw_end(chars, at + 1) {
            Some(end) => (Part::String, end),
            None => (Part::Code, at + 1),
        },
        '\'' => (Part::Code, character_end(chars, at)),
        _ => (Part::Code, at + 1),
    }
}

fn line_end(chars: &[char], from: usize) -> usize {
    (from..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len())
}

fn block_end(chars: &[char], from: usize) -> usize {
    let mut depth = 1;
    let mut at = from;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], from: usize) -> usize {
    let mut at = from;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of a raw string whose `#`s or quote begin at `from`, or `None` when it is not one.
fn raw_end(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars[from..].iter().take_while(|&&c| c == '#').count();
    let open = from + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |&i: &usize| {
        chars[i] == '"'
            && chars[i + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    let close = (open + 1..chars.len()).find(closes);
    Some(close.map_or(chars.len(), |i| i + 1 + hashes))
}

/// Passes over `'x'`, `'\n'` or `'\u{…}'`; a lifetime is passed over as a lone quote.
fn character_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            (at + 3..chars.len()).find(|&i| chars[i] == '\'').map_or(at + 1, |i| i + 1)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

fn is_word(chars: &[char], at: usize) -> bool {
    chars.get(at).is_some_and(|&c| c.is_alphanumeric() || c == '_')
}

/// The lines (from 1) on which `word` stands by itself, not inside a longer name.
pub fn lines_with_word(text: &str, word: &str) -> Vec<usize> {
    let has = |line: &str| {
        let mut rest = 0;
        while let Some(found) = line[rest..].find(word) {
            let (start, end) = (rest + found, rest + found + word.len());
            let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
            let before = line[..start].chars().next_back().is_some_and(part_of_name);
            let after = line[end..].chars().next().is_some_and(part_of_name);
            if !before && !after {
                return true;
            }
            rest = end;
        }
        false
    };
    text.lines().enumerate().filter(|(_, line)| has(line)).map(|(i, _)| i + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_leave_the_code() {
        let views = split("let a = \"x // no\"; // tokio\n/* serde /* deep */ */ let b = 1;");
        assert!(!views.code.contains("tokio") && !views.code.contains("serde"));
        assert!(!views.code.contains("no") && views.code.contains("let b = 1;"));
        assert!(views.strings.contains("x // no") && !views.strings.contains("let"));
    }

    #[test]
    fn raw_strings_and_escapes_end_where_they_should() {
        let views = split(r##"f(r#"a "quoted" b"#, "c\"d", 'e', '"', "f"); g::<'static>("h");"##);
        assert!(views.strings.contains("a \"quoted\" b") && views.strings.contains("c\\\"d"));
        assert!(views.strings.contains("\"f\"") && views.strings.contains("\"h\""));
        assert!(views.code.contains("g::<'static>"));
    }

    #[test]
    fn lines_stay_where_they_were() {
        let source = "a\n\"b\nc\"\n// d\ne";
        let views = split(source);
        assert_eq!(views.code.lines().count(), source.lines().count());
        assert_eq!(views.strings.lines().count(), source.lines().count());
    }

    #[test]
    fn a_word_is_not_part_of_a_longer_one() {
        assert_eq!(lines_with_word("serde_json\nserde\nmyserde serde;", "serde"), [2, 3]);
    }
}

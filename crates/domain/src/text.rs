//! Bounded texts. Each type can only hold what its rule allows; limits count Unicode scalar values.

use std::fmt;

/// Why a text was refused. The dialect names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing where something is needed.
    #[error("must not be empty")]
    Empty,
    /// Longer than allowed.
    #[error("must be at most {max} characters")]
    TooLong {
        /// The limit, in Unicode scalar values.
        max: usize,
    },
    /// A character outside the rule.
    #[error("holds a character that is not allowed")]
    BadCharacter,
}

macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The longest text that fits.
            pub const LEN_MAX: usize = $max;

            /// Checks length and characters.
            pub fn parse(text: &str) -> Result<$name, TextError> {
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() {
                    return Err(TextError::Empty);
                }
                if text.chars().count() > $max {
                    return Err(TextError::TooLong { max: $max });
                }
                if !text.chars().all(allowed) {
                    return Err(TextError::BadCharacter);
                }
                Ok($name(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn visible(c: char) -> bool {
    c.is_ascii_graphic()
}

/// Text for people: no control characters and none that reorder what is shown (SEC-44).
fn readable(c: char) -> bool {
    let reorders = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !reorders
}

fn readable_with_breaks(c: char) -> bool {
    c == '\n' || c == '\t' || readable(c)
}

token!(
    /// The merchant's own number for a purchase. Dialects narrow length and alphabet per channel.
    OrderNo, 64, word
);
token!(
    /// An object's id as the merchant sees it: opaque, at most 64 visible characters.
    PublicId, 64, visible
);
token!(
    /// An app's id: the merchant's own text, so that existing ids can be brought along.
    AppId, 64, visible
);
token!(
    /// The name of a way to pay, such as `alipay_wap`: one vocabulary for apps, routes and
    /// connectors (specs/pingpp.md §4.1).
    ChannelName, 40, word
);
token!(
    /// Our number for one submission to a channel (`out_trade_no`, `out_request_no`). Unique per
    /// route and never changed.
    ChannelNumber, 64, word
);
token!(
    /// The channel's own number for a payment or refund (`trade_no`).
    TradeNo, 64, visible
);
token!(
    /// What is bought, as the payer reads it.
    Subject, 256, readable
);
token!(
    /// A longer text for people.
    Note, 400, readable_with_breaks
);
token!(
    /// A merchant's name for one of its users.
    UserId, 64, visible
);
token!(
    /// The id of an API request, told in events (`iar_…`).
    RequestId, 40, word
);

/// JSON text that is kept and given back unread: what a dialect merely echoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo(Box<str>);

impl Echo {
    /// Wraps text that the dialect has already checked to be one JSON value.
    pub fn from_json(text: impl Into<Box<str>>) -> Echo {
        Echo(text.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_characters_not_bytes() {
        let at = "付".repeat(Subject::LEN_MAX);
        assert!(Subject::parse(&at[3..]).is_ok());
        assert!(Subject::parse(&at).is_ok());
        let over = format!("{at}付");
        assert_eq!(Subject::parse(&over), Err(TextError::TooLong { max: Subject::LEN_MAX }));
    }

    #[test]
    fn order_numbers_hold_no_look_alikes_spaces_or_line_ends() {
        for bad in ["а1", "1 2", "a\n", "１２", "a/b", "a\u{200b}"] {
            assert_eq!(OrderNo::parse(bad), Err(TextError::BadCharacter), "{bad:?}");
        }
        assert_eq!(OrderNo::parse(""), Err(TextError::Empty));
        assert!(OrderNo::parse("shop-2025_1").is_ok());
    }

    #[test]
    fn text_for_people_cannot_reorder_the_line_it_stands_in() {
        for bad in ["a\u{0}", "a\r\nb", "abc\u{202e}def", "\u{2066}x"] {
            assert_eq!(Subject::parse(bad), Err(TextError::BadCharacter), "{bad:?}");
        }
        assert!(Subject::parse("绿茶 <& > 👨‍👩‍👧").is_ok());
        assert!(Note::parse("two\nlines").is_ok());
    }
}

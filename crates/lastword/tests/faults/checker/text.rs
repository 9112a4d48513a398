//! What messages say: who wrote them, to whom, and what they answer.

use std::fmt;
use std::str::FromStr;

/// A message by its author, and as his how-manieth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The author's number.
    pub from: u16,
    /// From 0.
    pub number: u32,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Which message it is.
    pub id: Id,
    /// The number of the person that it is for.
    pub to: u16,
    /// The message that its author had seen last.
    pub answers: Option<Id>,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "p{}:{}", self.from, self.number)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (from, number) = text.strip_prefix('p').and_then(|text| text.split_once(':')).ok_or(())?;
        Ok(Self { from: from.parse().map_err(|_| ())?, number: number.parse().map_err(|_| ())? })
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}>{}", self.id, self.to)?;
        self.answers.map_or(Ok(()), |answers| write!(f, "@{answers}"))
    }
}

impl FromStr for Text {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (id, rest) = text.split_once('>').ok_or(())?;
        let (to, answers) = rest.split_once('@').map_or((rest, None), |(to, answers)| (to, Some(answers)));
        let answers = answers.map(Id::from_str).transpose()?;
        Ok(Self { id: id.parse()?, to: to.parse().map_err(|_| ())?, answers })
    }
}

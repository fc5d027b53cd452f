//! Answers in XML, as a tree of owned elements. Namespaces are left out: AWS's answers have one.

use crate::error::{Error, Result};

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its own text, without white space around it.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Element>,
}

/// Nothing that AWS answers nests deeper.
const MAX_DEPTH: usize = 64;

impl Element {
    /// Reads a document. Document types are refused: nobody's entities are expanded.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let bad = |what: String| Error::host(format!("the answer is no XML: {what}"));
        let text = std::str::from_utf8(bytes).map_err(|e| bad(e.to_string()))?;
        let document = roxmltree::Document::parse(text).map_err(|e| bad(e.to_string()))?;
        taken(document.root_element(), MAX_DEPTH).ok_or_else(|| bad("it nests too deep".into()))
    }

    /// The first element in it of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The element that a path of names leads to (`Error/Code`).
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('/')
            .try_fold(self, |element, name| element.child(name))
    }

    /// The text there; empty if there is none.
    #[must_use]
    pub fn text_at(&self, path: &str) -> &str {
        self.at(path).map_or("", |e| e.text.as_str())
    }

    /// The members of a list there (`TargetHealthDescriptions` has `member`s, EC2's lists have `item`s).
    #[must_use]
    pub fn list(&self, path: &str) -> &[Self] {
        self.at(path).map_or(&[], |e| e.children.as_slice())
    }

    /// The first element of this name, however deep.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Self> {
        let here = self.child(name);
        here.or_else(|| self.children.iter().find_map(|c| c.find(name)))
    }
}

fn taken(node: roxmltree::Node<'_, '_>, depth: usize) -> Option<Element> {
    if depth == 0 {
        return None;
    }
    let children = node
        .children()
        .filter(roxmltree::Node::is_element)
        .map(|child| taken(child, depth - 1))
        .collect::<Option<Vec<_>>>()?;
    let text: String = node
        .children()
        .filter(roxmltree::Node::is_text)
        .filter_map(|t| t.text())
        .collect();
    Some(Element {
        name: node.tag_name().name().to_owned(),
        text: text.trim().to_owned(),
        children,
    })
}

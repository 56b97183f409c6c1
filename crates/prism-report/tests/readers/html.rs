//! Markup as a browser reads it: elements with attributes and text, entities decoded.

/// An element with all that is in it.
#[derive(Debug, Clone, Default)]
pub struct Element {
    /// Its name in small letters.
    pub name: String,
    /// Its attributes, decoded.
    pub attributes: Vec<(String, String)>,
    /// What is in it.
    pub children: Vec<Node>,
}

/// A piece of an element.
#[derive(Debug, Clone)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, decoded.
    Text(String),
}

/// Elements that hold nothing and are not closed.
const VOID: [&str; 9] = ["area", "br", "col", "hr", "img", "input", "link", "meta", "wbr"];
/// Elements whose content is no markup.
const RAW: [&str; 2] = ["script", "style"];

impl Element {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is of a class.
    pub fn is_of(&self, class: &str) -> bool {
        self.attribute("class").is_some_and(|classes| classes.split_whitespace().any(|one| one == class))
    }

    /// All text in it.
    pub fn text(&self) -> String {
        let of = |node: &Node| match node {
            Node::Text(text) => text.clone(),
            Node::Element(element) => element.text(),
        };
        self.children.iter().map(of).collect()
    }

    /// The elements in it that fit, in order, at any depth.
    pub fn all(&self, fits: &dyn Fn(&Element) -> bool) -> Vec<&Element> {
        let mut found = Vec::new();
        for child in self.elements() {
            if fits(child) {
                found.push(child);
            }
            found.extend(child.all(fits));
        }
        found
    }

    /// The elements of that name in it, at any depth.
    pub fn named(&self, name: &str) -> Vec<&Element> {
        self.all(&|element| element.name == name)
    }

    /// The elements right in it.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| if let Node::Element(element) = node { Some(element) } else { None })
    }

    /// Calls `see` with every text in it and the elements around each, the outermost first.
    pub fn texts<'a>(&'a self, around: &mut Vec<&'a Element>, see: &mut dyn FnMut(&str, &[&'a Element])) {
        around.push(self);
        for child in &self.children {
            match child {
                Node::Text(text) => see(text, around),
                Node::Element(element) => element.texts(around, see),
            }
        }
        around.pop();
    }
}

/// Reads markup; the element returned has no name and holds everything.
pub fn read(markup: &str) -> Element {
    let mut open = vec![Element::default()];
    let mut rest = markup;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            add(&mut open, Node::Text(decoded(rest)));
            break;
        };
        if at > 0 {
            add(&mut open, Node::Text(decoded(&rest[..at])));
        }
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
        } else if rest.starts_with("<!") {
            rest = rest.split_once('>').map_or("", |(_, rest)| rest);
        } else if let Some(closing) = rest.strip_prefix("</") {
            let (name, after) = closing.split_once('>').unwrap_or((closing, ""));
            close(&mut open, name.trim());
            rest = after;
        } else {
            rest = opened(&mut open, &rest[1..]);
        }
    }
    while open.len() > 1 {
        let last = open.pop().unwrap();
        add(&mut open, Node::Element(last));
    }
    open.pop().unwrap()
}

fn add(open: &mut [Element], node: Node) {
    open.last_mut().unwrap().children.push(node);
}

/// Closes the innermost element of a name, and those in it.
fn close(open: &mut Vec<Element>, name: &str) {
    let Some(place) = open.iter().rposition(|element| element.name == name).filter(|place| *place > 0) else { return };
    while open.len() > place {
        let last = open.pop().unwrap();
        add(open, Node::Element(last));
    }
}

/// Reads a tag from behind its `<`; returns what comes after it.
fn opened<'a>(open: &mut Vec<Element>, tag: &'a str) -> &'a str {
    let end = tag.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(tag.len());
    let mut element = Element { name: tag[..end].to_ascii_lowercase(), ..Element::default() };
    let mut rest = &tag[end..];
    let closed = loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            rest = after;
            break true;
        }
        if let Some(after) = rest.strip_prefix('>') {
            rest = after;
            break false;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').unwrap_or(rest.len());
        let name = rest[..end].to_string();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let (inner, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            (value, rest) = (decoded(inner), after);
        } else {
            assert!(!rest.starts_with('='), "an attribute without quotes: {name}");
        }
        if name.is_empty() {
            break false;
        }
        element.attributes.push((name, value));
    };
    if RAW.contains(&element.name.as_str()) {
        let close = format!("</{}>", element.name);
        let (inner, after) = rest.split_once(close.as_str()).unwrap_or((rest, ""));
        element.children.push(Node::Text(inner.to_string()));
        add(open, Node::Element(element));
        return after;
    }
    if closed || VOID.contains(&element.name.as_str()) {
        add(open, Node::Element(element));
    } else {
        open.push(element);
    }
    rest
}

/// Text with its entities as characters.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').unwrap_or_else(|| panic!("an entity without end: {rest}"));
        out.push(match &rest[1..end] {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            other => panic!("an entity that nobody writes: {other}"),
        });
        rest = &rest[end + 1..];
    }
    out + rest
}

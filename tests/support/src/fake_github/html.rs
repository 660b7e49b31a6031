//! Pieces of pages: plain HTML that reads well without a style.

/// A page with this heading.
pub(super) fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <body><p><a href=\"/\">Everything there is</a></p><main><h1>{title}</h1>{body}</main></body></html>"
    )
}

/// A form that has only a button, and says these things.
pub(super) fn button(action: &str, label: &str, says: &[(&str, &str)]) -> String {
    form(action, &hidden(says), label)
}

/// A form with these fields, which are HTML.
pub(super) fn form(action: &str, fields: &str, label: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}\">{fields}<button type=\"submit\">{}</button></form>",
        escaped(action),
        escaped(label)
    )
}

/// Fields that nobody sees.
pub(super) fn hidden(says: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| {
        format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value))
    };
    says.iter().map(field).collect()
}

/// A field for a line of text.
pub(super) fn line(name: &str, label: &str, value: &str) -> String {
    let (name, value) = (escaped(name), escaped(value));
    format!("<p><label>{} <input name=\"{name}\" value=\"{value}\"></label></p>", escaped(label))
}

/// As text in HTML, also between quotes.
pub(super) fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, letter| {
        match letter {
            '&' => all.push_str("&amp;"),
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '"' => all.push_str("&quot;"),
            '\'' => all.push_str("&#39;"),
            letter => all.push(letter),
        }
        all
    })
}

//! The rows of pages. A page of a list is described with its rows written out; the description is shorter, and programs
//! made from it have one type for a row, when pages refer to them.

use utoipa::openapi::{Components, OpenApi, Ref, RefOr, Schema, schema::ArrayItems};

/// Lets every `Page_X` refer to `X`.
pub(super) fn refer(spec: &mut OpenApi) {
    let Some(Components { schemas, .. }) = &mut spec.components else { return };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for (page, schema) in schemas {
        let Some(row) = page.strip_prefix("Page_").filter(|row| names.iter().any(|name| name == row)) else { continue };
        if let RefOr::T(Schema::Object(page)) = schema
            && let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items")
        {
            items.items = ArrayItems::RefOrSchema(Box::new(RefOr::Ref(Ref::from_schema_name(row))));
        }
    }
}

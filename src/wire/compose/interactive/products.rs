//! Products of a catalog, and orders for them.

use serde_json::{Value, json};

use super::super::{Message, kind};
use super::Header;

impl Message<kind::Product> {
    /// One product.
    pub fn product(catalog_id: impl Into<String>, retailer_id: impl Into<String>) -> Self {
        let (catalog, product) = (catalog_id.into(), retailer_id.into());
        let action = json!({"catalog_id": catalog, "product_retailer_id": product});
        Message::interactive("product", None, action)
    }

    /// The text, which a product can do without.
    pub fn body(mut self, text: impl Into<String>) -> Self {
        self.content()["body"] = json!({"text": text.into()});
        self
    }
}

impl Message<kind::ProductList> {
    /// Up to thirty products in titled sections. The header is needed and must be a text.
    ///
    /// ```
    /// use wabridge::compose::Message;
    ///
    /// let shop = Message::product_list("New", "What came in this week", "194")
    ///     .section("Plants", ["sku-1", "sku-2"])
    ///     .section("Pots", ["sku-9"]);
    /// let sections = &shop.to_value()["interactive"]["action"]["sections"];
    /// assert_eq!(sections[1]["product_items"][0]["product_retailer_id"], "sku-9");
    /// ```
    pub fn product_list(
        header: impl Into<String>,
        body: impl Into<String>,
        catalog_id: impl Into<String>,
    ) -> Self {
        let action = json!({"catalog_id": catalog_id.into(), "sections": []});
        let mut message = Message::interactive("product_list", Some(body.into()), action);
        message.content()["header"] = Header::text(header).0;
        message
    }

    /// One more section.
    pub fn section<I: Into<String>>(
        mut self,
        title: impl Into<String>,
        retailer_ids: impl IntoIterator<Item = I>,
    ) -> Self {
        if let Value::Array(sections) = &mut self.action()["sections"] {
            sections.push(product_section(title, retailer_ids));
        }
        self
    }
}

impl Message<kind::Catalog> {
    /// The whole catalog behind a button.
    pub fn catalog(body: impl Into<String>) -> Self {
        let action = json!({"name": "catalog_message"});
        Message::interactive("catalog_message", Some(body.into()), action)
    }

    /// The product whose picture is shown; the first of the catalog otherwise.
    pub fn thumbnail(mut self, retailer_id: impl Into<String>) -> Self {
        self.action()["parameters"] = json!({"thumbnail_product_retailer_id": retailer_id.into()});
        self
    }
}

impl Message<kind::Order> {
    /// A bill to review and pay; the parameters as in Meta's payments pages, which differ by
    /// country.
    pub fn order_details(body: impl Into<String>, parameters: Value) -> Self {
        let action = json!({"name": "review_and_pay", "parameters": parameters});
        Message::interactive("order_details", Some(body.into()), action)
    }

    /// News of an order; the parameters as above.
    pub fn order_status(body: impl Into<String>, parameters: Value) -> Self {
        let action = json!({"name": "review_order", "parameters": parameters});
        Message::interactive("order_status", Some(body.into()), action)
    }
}

/// A titled section of products.
pub(in super::super) fn product_section<I: Into<String>>(
    title: impl Into<String>,
    retailer_ids: impl IntoIterator<Item = I>,
) -> Value {
    let item = |id: I| json!({"product_retailer_id": id.into()});
    let items: Vec<Value> = retailer_ids.into_iter().map(item).collect();
    json!({"title": title.into(), "product_items": items})
}

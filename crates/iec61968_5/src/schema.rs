//! The WSDLs and schemas, to be served beside the operations.

const XSD_PATH: &str = "/61968-5/xsd/";

/// Host part of the addresses in the WSDL files, replaced when one is served.
const FILE_ORIGIN: &str = "http://localhost";

macro_rules! wsdl {
    ($path:literal, $file:literal) => {
        (
            concat!("/61968-5/", $path),
            include_str!(concat!("../schema/", $file)),
        )
    };
}

macro_rules! xsd {
    ($file:literal) => {
        ($file, include_str!(concat!("../schema/xsd/", $file)))
    };
}

/// Path of each service and its WSDL as the file has it.
pub const WSDLS: [(&str, &str); 5] = [
    wsdl!("create/executeDERGroups", "create/ExecuteDERGroups.wsdl"),
    wsdl!("change/executeDERGroups", "change/ExecuteDERGroups.wsdl"),
    wsdl!(
        "create/executeDERGroupDispatches",
        "create/ExecuteDERGroupDispatches.wsdl"
    ),
    wsdl!("get/queryDERGroups", "get/QueryDERGroups.wsdl"),
    wsdl!(
        "get/queryDERGroupStatuses",
        "get/QueryDERGroupStatuses.wsdl"
    ),
];

/// File name of each schema and its text.
pub const XSDS: [(&str, &str); 12] = [
    xsd!("Message.xsd"),
    xsd!("Naming.xsd"),
    xsd!("Quantity.xsd"),
    xsd!("DERGroups.xsd"),
    xsd!("DERGroupsMessage.xsd"),
    xsd!("DERGroupQueries.xsd"),
    xsd!("DERGroupQueriesMessage.xsd"),
    xsd!("DERGroupStatuses.xsd"),
    xsd!("DERGroupStatusQueries.xsd"),
    xsd!("DERGroupStatusQueriesMessage.xsd"),
    xsd!("DERGroupDispatches.xsd"),
    xsd!("DERGroupDispatchesMessage.xsd"),
];

/// The document at a path: a service's WSDL when the query is `wsdl`, with `origin` (scheme,
/// host and port) in its address, or a schema.
#[must_use]
pub fn document(path: &str, query: Option<&str>, origin: &str) -> Option<String> {
    if let Some(file) = path.strip_prefix(XSD_PATH) {
        return XSDS
            .iter()
            .find(|(name, _)| *name == file)
            .map(|(_, text)| (*text).to_owned());
    }
    let asked = query.is_some_and(|query| query.eq_ignore_ascii_case("wsdl"));
    let (_, text) = WSDLS
        .iter()
        .find(|(service, _)| *service == path)
        .filter(|_| asked)?;
    let address = crate::xml::escaped(origin.trim_end_matches('/'));
    let from = format!("location=\"{FILE_ORIGIN}/");
    Some(text.replace(&from, &format!("location=\"{address}/")))
}

/// Whether a service answers POST requests at this path.
#[must_use]
pub fn is_service(path: &str) -> bool {
    WSDLS.iter().any(|(service, _)| *service == path)
}

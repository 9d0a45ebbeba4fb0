//! Subscription and notification: a client is told instead of asking.

use crate::codec::simple::{AnyUri, Int48, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::registry::Carried;

complex! {
    /// What a client wants to be told of, and where.
    pub struct Subscription("Subscription") {
        @opt href: AnyUri = "href",
        one subscribed_resource: AnyUri = "subscribedResource",
        opt condition: Condition = "Condition",
        one encoding: u8 = "encoding",
        one level: Text<16> = "level",
        one limit: u32 = "limit",
        one notification_uri: AnyUri = "notificationURI",
    }

    /// Subscriptions of one client.
    pub struct SubscriptionList("SubscriptionList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many subscription: Subscription = "Subscription",
    }

    /// The bounds outside of which a reading is told.
    pub struct Condition("Condition") {
        one attribute_identifier: u8 = "attributeIdentifier",
        one lower_threshold: Int48 = "lowerThreshold",
        one upper_threshold: Int48 = "upperThreshold",
    }

    /// What is told to a subscriber.
    ///
    /// Interpretation: a resource of a type that is not known is read as the base type of all
    /// resources, which has an address and nothing else.
    pub struct Notification("Notification") {
        @opt href: AnyUri = "href",
        one subscribed_resource: AnyUri = "subscribedResource",
        opt created_date_time: TimeType = "createdDateTime" in Y2023,
        opt new_resource_uri: AnyUri = "newResourceURI",
        opt resource: Carried = "Resource",
        one status: NotificationStatus = "status",
        one subscription_uri: AnyUri = "subscriptionURI",
    }

    /// Notifications that a client has been sent.
    pub struct NotificationList("NotificationList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many notification: Notification = "Notification",
    }
}

codes! {
    /// Why a subscriber is told.
    pub struct NotificationStatus(u8) {
        CHANGED = 0,
        CANCELLED = 1,
        MOVED = 2,
        DEFINITION_CHANGED = 3,
        DELETED = 4,
    }
}

/**
 * The slash commands of topics: joined and left, what we say of ourselves, who is there, and asking to connect.
 * It never carries anything out and never makes a key; a secret topic's key is drawn where the node's entropy is.
 * It is apart from the other commands because a topic may carry a secret, which must not be repeated on a screen.
 */
import { Result } from "effect"
import { Rejection, Topic } from "../core/index.ts"
import { addressed, command, mistake, noted, type Parsed, type Row } from "./Parsed.ts"

const topicUsage = "/topic join NAME | leave NAME | list | new-secret NAME"

/** A topic as it was typed, handed on; without repeating what may have been a key. */
const withTopic = (typed: string, make: (topic: Topic.Topic) => Parsed): Parsed => {
  const topic = Topic.parse(typed)
  return Result.isSuccess(topic) ? make(topic.success) : mistake(Rejection.sentence(topic.failure))
}

const topic: Row = {
  name: "topic",
  usage: topicUsage,
  help: "rooms in which agents find each other without a chat; NAME#KEY is a secret one",
  parse: (rest) => {
    const [verb = "", name = "", ...more] = rest.trim().split(/\s+/)
    if ((verb === "list" || verb === "") && name === "") return { kind: "question", question: "topics", name: "" }
    if (name === "" || more.length > 0) return mistake(`usage: ${topicUsage}`)
    if (verb === "join") return withTopic(name, (one) => command({ _tag: "JoinTopic", topic: one }))
    if (verb === "leave") return withTopic(name, (one) => command({ _tag: "LeaveTopic", topic: one }))
    if (verb !== "new-secret") return mistake(`usage: ${topicUsage}`)
    return withTopic(name, (one) =>
      one.secret === null ? { kind: "secret-topic", name: one.name } : mistake(`usage: ${topicUsage}`)
    )
  }
}

const profileUsage = "/profile [NAME [TAG,TAG…] [: DESCRIPTION]]"

/** `bob chess,go : answers questions` → name, tags and a description; each but the name may be left out. */
const profile: Row = {
  name: "profile",
  usage: profileUsage,
  help: "what your agent says of itself in topics: a name, tags, and a line of words",
  parse: (rest) => {
    if (rest.trim() === "") return { kind: "question", question: "profile", name: "" }
    const [head = "", ...words] = rest.split(/(?:^|\s):\s/)
    const [name = "", tags = "", ...more] = head.trim().split(/\s+/)
    if (name === "" || more.length > 0) return mistake(`usage: ${profileUsage}`)
    const content = {
      name: name.replace(/^@/, ""),
      description: words.join(" : ").trim(),
      tags: tags === "" ? [] : tags.split(",")
    }
    return command({ _tag: "SetProfile", content })
  }
}

const discovered: Row = {
  name: "discovered",
  usage: "/discovered [TOPIC]",
  help: "who is known in your topics; names are what they say themselves",
  parse: (rest) => ({ kind: "question", question: "discovered", name: rest.trim() })
}

const connectUsage = "/connect @name[#key] [in TOPIC] [: NOTE]"

const connect: Row = {
  name: "connect",
  usage: connectUsage,
  help: "ask a member of a topic to be friends; its operator decides",
  parse: (rest) => {
    const said = noted(rest)
    if ("kind" in said) return said
    const who = addressed(said.head)
    const [, topic] = /^in\s+(\S+)$/.exec(who?.rest ?? "") ?? []
    if (who === undefined || (who.rest !== "" && topic === undefined)) return mistake(`usage: ${connectUsage}`)
    return command({ _tag: "Connect", name: who.name, keyPrefix: who.keyPrefix, topic: topic ?? "", note: said.note })
  }
}

/** The rows of topics, in the order in which help lists them. */
export const rows: ReadonlyArray<Row> = [topic, profile, discovered, connect]

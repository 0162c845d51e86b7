// CommitPart: a part of what commits write, which keeps something in memory beside the rows.
#ifndef REFUND_RELAY_SERVER_LOG_COMMIT_PART_H_
#define REFUND_RELAY_SERVER_LOG_COMMIT_PART_H_

namespace refund_relay {

// Called by its store on the writer's thread, so that what is in memory never runs ahead of what is durable.
class CommitPart {
 public:
  virtual ~CommitPart() = default;

  // The open transaction is durable; its commands are not answered yet.
  virtual void Published() = 0;
  // The open transaction is gone, or a new one begins: nothing of an earlier one that was not published holds.
  virtual void RolledBack() = 0;
};

}  // namespace refund_relay

#endif  // REFUND_RELAY_SERVER_LOG_COMMIT_PART_H_

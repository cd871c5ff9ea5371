// SPDX-License-Identifier: Apache-2.0

/// The order of the training engine: clear, loop, send, settle; which beat of the model is where;
/// cycles.
///
/// `cycles_o` counts from the first beat taken to the first beat of the model that the last step
/// writes: the steps times the period, since another row could follow there.
module engine_sequencer
  import bittrue_pkg::*;
#(
  /// Bits of the number of a beat.
  parameter int unsigned BeatWidth = 6,
  /// Cycles at the end in which the counts of overflows settle, at least 1.
  parameter int unsigned SettleCycles = 3
) (
  /// Clock.
  input  logic                 clk_i,
  /// Asynchronous reset, active low: idle.
  input  logic                 rst_ni,
  /// High to start a loop, while idle only.
  input  logic                 start_i,
  /// With start_i: set the model to zeros first.
  input  logic                 clear_i,
  /// With start_i: send the model behind the loop.
  input  logic                 send_i,
  /// Number of a row's last beat.
  input  logic [BeatWidth-1:0] last_beat_i,
  /// Steps of the loop.
  input  logic [31:0]          steps_i,
  /// High in a cycle in which a beat of a row is taken.
  input  logic                 taken_i,
  /// High in a cycle in which the update writes a beat of the model.
  input  logic                 written_i,
  /// Its number, and that of the beat to clear.
  output logic [BeatWidth-1:0] write_beat_o,
  /// High while the beat is to be cleared.
  output logic                 clearing_o,
  /// High while the loop runs.
  output logic                 looping_o,
  /// High while the model is sent.
  output logic                 sending_o,
  /// High when a sent beat is taken.
  input  logic                 sent_i,
  /// The beat to read for sending.
  output logic [BeatWidth-1:0] send_beat_o,
  /// High if the present one is the last.
  output logic                 send_is_last_o,
  /// High from the cycle after a start until the counts of overflows have settled.
  output logic                 running_o,
  /// High from then on to the next start: never together with running_o.
  output logic                 done_o,
  /// Clock cycles of the loop.
  output logic [63:0]          cycles_o
);

  localparam int unsigned SettleWidth = index_width(SettleCycles);

  typedef enum logic [2:0] {
    IDLE,
    CLEARING,
    LOOPING,
    SENDING,
    SETTLING
  } state_e;

  state_e state_q;
  logic ends, counts, write_is_last, settled, send_q, done_q, counting_q;
  logic [31:0] rows_q;
  logic [63:0] cycles_q;

  assign ends   = written_i & ~|write_beat_o & rows_q == 32'd1;
  assign counts = taken_i | counting_q;

  beat_counter #(
    .Width(BeatWidth)
  ) u_write (
    .clk_i,
    .rst_ni,
    .clear_i  (start_i),
    .enable_i (written_i | clearing_o),
    .last_i   (last_beat_i),
    .beat_o   (write_beat_o),
    .next_o   (),
    .is_last_o(write_is_last)
  );

  beat_counter #(
    .Width(BeatWidth)
  ) u_send (
    .clk_i,
    .rst_ni,
    .clear_i  (start_i),
    .enable_i (sent_i),
    .last_i   (last_beat_i),
    .beat_o   (),
    .next_o   (send_beat_o),
    .is_last_o(send_is_last_o)
  );

  beat_counter #(
    .Width(SettleWidth)
  ) u_settle (
    .clk_i,
    .rst_ni,
    .clear_i  (start_i),
    .enable_i (state_q == SETTLING),
    .last_i   (SettleWidth'(SettleCycles - 1)),
    .beat_o   (),
    .next_o   (),
    .is_last_o(settled)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= IDLE;
      send_q  <= 1'b0;
      done_q  <= 1'b0;
    end else begin
      unique case (state_q)
        IDLE: begin
          if (start_i) begin
            state_q <= clear_i ? CLEARING : LOOPING;
            send_q  <= send_i;
            done_q  <= 1'b0;
          end
        end
        CLEARING: if (write_is_last) state_q <= LOOPING;
        LOOPING:  if (~|rows_q) state_q <= send_q ? SENDING : SETTLING;
        SENDING:  if (sent_i & send_is_last_o) state_q <= SETTLING;
        default: begin
          if (settled) begin
            state_q <= IDLE;
            done_q  <= 1'b1;
          end
        end
      endcase
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rows_q <= 32'd0;
      counting_q <= 1'b0;
      cycles_q <= 64'd0;
    end else if (start_i) begin
      rows_q <= steps_i;
      counting_q <= 1'b0;
      cycles_q <= 64'd0;
    end else begin
      if (written_i & write_is_last) rows_q <= rows_q - 32'd1;
      counting_q <= counts & ~ends;
      cycles_q <= cycles_q + 64'(counts);
    end
  end

  assign clearing_o = state_q == CLEARING;
  assign looping_o = state_q == LOOPING;
  assign sending_o = state_q == SENDING;
  assign running_o = state_q != IDLE;
  assign done_o = done_q;
  assign cycles_o = cycles_q;

endmodule

// SPDX-License-Identifier: Apache-2.0

/// The order of the training engine's loop: when a beat may be taken, and which beat is where.
///
/// One counter of credits holds everything apart that overlaps: it starts at the beats of a row,
/// each beat taken costs one, each beat of the model written gives one back. So the dot product of
/// the next row reads a beat of the model only after the update has written it, and finds the row
/// buffer's beat used. `cycles_o` counts from the first beat taken to the first beat of the model
/// that the last step writes: the steps times the period, since another row could follow there.
module engine_sequencer #(
  /// Bits of the number of a beat.
  parameter int unsigned BeatWidth = 6
) (
  /// Clock.
  input  logic                 clk_i,
  /// Asynchronous reset, active low: idle.
  input  logic                 rst_ni,
  /// High to start a loop while idle.
  input  logic                 start_i,
  /// With start_i: set the model to zeros first.
  input  logic                 clear_i,
  /// With start_i: send the model behind the loop.
  input  logic                 send_i,
  /// Number of a row's last beat.
  input  logic [BeatWidth-1:0] last_beat_i,
  /// Steps of the loop.
  input  logic [31:0]          steps_i,
  /// High while a row's beat is offered.
  input  logic                 row_valid_i,
  /// High if it is marked as a row's last.
  input  logic                 row_last_i,
  /// High when it is taken.
  output logic                 row_ready_o,
  /// Its number.
  output logic [BeatWidth-1:0] row_beat_o,
  /// High if it is a row's last by number.
  output logic                 row_is_last_o,
  /// High in a cycle in which the update writes a beat of the model.
  input  logic                 written_i,
  /// Its number, and that of the beat to clear.
  output logic [BeatWidth-1:0] write_beat_o,
  /// High while the beat is to be cleared.
  output logic                 clearing_o,
  /// High while the model is sent.
  output logic                 sending_o,
  /// High when a sent beat is taken.
  input  logic                 sent_i,
  /// The beat to read for sending.
  output logic [BeatWidth-1:0] send_beat_o,
  /// High if the present one is the last.
  output logic                 send_is_last_o,
  /// High from start to end.
  output logic                 running_o,
  /// High from an end to the next start.
  output logic                 done_o,
  /// A beat was marked as last and was not, since the last start.
  output logic                 early_last_o,
  /// A last beat was not marked, since the last start.
  output logic                 no_last_o,
  /// Clock cycles of the loop.
  output logic [63:0]          cycles_o
);

  typedef enum logic [1:0] {
    IDLE,
    CLEARING,
    LOOP,
    SENDING
  } state_e;

  state_e state_q;
  logic start, taken, ends, counts, write_is_last, send_q, done_q, early_last_q, no_last_q;
  logic counting_q;
  logic [BeatWidth:0] credits_q;
  logic [31:0] rows_to_take_q, rows_to_write_q;
  logic [63:0] cycles_q;

  assign start = start_i & state_q == IDLE;
  assign row_ready_o = state_q == LOOP & |credits_q & |rows_to_take_q;
  assign taken = row_valid_i & row_ready_o;
  assign clearing_o = state_q == CLEARING;
  assign ends = written_i & write_beat_o == BeatWidth'(1'b0) & rows_to_write_q == 32'd1;
  assign counts = taken | counting_q;

  beat_counter #(
    .Width(BeatWidth)
  ) u_row (
    .clk_i,
    .rst_ni,
    .clear_i  (start),
    .enable_i (taken),
    .last_i   (last_beat_i),
    .beat_o   (row_beat_o),
    .next_o   (),
    .is_last_o(row_is_last_o)
  );

  beat_counter #(
    .Width(BeatWidth)
  ) u_write (
    .clk_i,
    .rst_ni,
    .clear_i  (start),
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
    .clear_i  (start),
    .enable_i (sent_i),
    .last_i   (last_beat_i),
    .beat_o   (),
    .next_o   (send_beat_o),
    .is_last_o(send_is_last_o)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= IDLE;
      send_q  <= 1'b0;
      done_q  <= 1'b0;
    end else begin
      unique case (state_q)
        IDLE: begin
          if (start) begin
            state_q <= clear_i ? CLEARING : LOOP;
            send_q  <= send_i;
            done_q  <= 1'b0;
          end
        end
        CLEARING: if (write_is_last) state_q <= LOOP;
        LOOP: begin
          if (~|rows_to_write_q) begin
            state_q <= send_q ? SENDING : IDLE;
            done_q  <= ~send_q;
          end
        end
        default: begin
          if (sent_i & send_is_last_o) begin
            state_q <= IDLE;
            done_q  <= 1'b1;
          end
        end
      endcase
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      credits_q <= (BeatWidth + 1)'(0);
      rows_to_take_q <= 32'd0;
      rows_to_write_q <= 32'd0;
      counting_q <= 1'b0;
      cycles_q <= 64'd0;
      early_last_q <= 1'b0;
      no_last_q <= 1'b0;
    end else if (start) begin
      credits_q <= (BeatWidth + 1)'(last_beat_i) + (BeatWidth + 1)'(1'b1);
      rows_to_take_q <= steps_i;
      rows_to_write_q <= steps_i;
      counting_q <= 1'b0;
      cycles_q <= 64'd0;
      early_last_q <= 1'b0;
      no_last_q <= 1'b0;
    end else begin
      if (taken & ~written_i) credits_q <= credits_q - (BeatWidth + 1)'(1'b1);
      if (~taken & written_i) credits_q <= credits_q + (BeatWidth + 1)'(1'b1);
      if (taken & row_is_last_o) rows_to_take_q <= rows_to_take_q - 32'd1;
      if (written_i & write_is_last) rows_to_write_q <= rows_to_write_q - 32'd1;
      counting_q <= counts & ~ends;
      cycles_q <= cycles_q + 64'(counts);
      early_last_q <= early_last_q | (taken & row_last_i & ~row_is_last_o);
      no_last_q <= no_last_q | (taken & ~row_last_i & row_is_last_o);
    end
  end

  assign sending_o = state_q == SENDING;
  assign running_o = state_q != IDLE;
  assign done_o = done_q;
  assign early_last_o = early_last_q;
  assign no_last_o = no_last_q;
  assign cycles_o = cycles_q;

endmodule
